"""The HTTP interface of ClickHouse in front of ClickHouse's own engine (chdb).

The server of ClickHouse is not a package that can be installed here in a present version; its engine is. Statements,
formats, settings, deduplication, merges and errors are the engine's. This script adds the interface: the query in the
URL or the body, the user in headers, and the code of an exception in a header.

Takes the folder of the data and prints the port. The user is `writer` with the password `right`; `reader` with the same
password may not insert, and the database `locked` answers like a server that is overloaded.
"""

import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from chdb import session

ENGINE = session.Session(sys.argv[1])
LOCK = threading.Lock()


class Refusal(Exception):
    """An answer that the engine does not give, because it has no users: the words are those of a server."""


def check(user: str, password: str, sql: str) -> None:
    if user not in ("writer", "reader") or password != "right":
        raise Refusal(
            f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, "
            "or there is no user with such name. (AUTHENTICATION_FAILED)"
        )
    if user == "reader" and sql.lstrip().upper().startswith(("INSERT", "CREATE", "ALTER")):
        raise Refusal(
            f"Code: 497. DB::Exception: {user}: Not enough privileges. To execute this query, it's necessary "
            "to have the grant INSERT. (ACCESS_DENIED)"
        )


def run(database: str, sql: str, rows: bytes | None) -> bytes:
    if database == "locked":
        raise Refusal("Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)")
    with LOCK:
        ENGINE.query(f"USE `{database}`")
        if rows is None:
            return ENGINE.query(sql, "TabSeparated").bytes()
        # The engine takes the rows of an insert from a file.
        with tempfile.NamedTemporaryFile() as file:
            file.write(rows)
            file.flush()
            head, settings, form = re.fullmatch(r"(INSERT INTO .*\)) (SETTINGS .*) (FORMAT \w+)", sql).groups()
            return ENGINE.query(f"{head} FROM INFILE '{file.name}' {settings} {form}", "TabSeparated").bytes()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        parameters = {name: values[0] for name, values in parse_qs(urlparse(self.path).query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sql = parameters.get("query") or body.decode()
        code = None
        try:
            check(self.headers.get("X-ClickHouse-User", ""), self.headers.get("X-ClickHouse-Key", ""), sql)
            answer = run(parameters.get("database", "default"), sql, body if "query" in parameters else None)
            status = 200
        except Exception as error:
            answer = str(error).encode()
            code = re.search(r"Code: (\d+)", str(error))
            status = 500
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code.group(1))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
