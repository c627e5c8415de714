"""A server with the part of Google Cloud Storage's XML interface that the sink `parquet` uses.

    gcs_server.py PORT BUCKET

It stores objects in memory. An object is created if it does not exist and the request says
`x-goog-if-generation-match: 0`; otherwise the answer is 412, as Google documents it.
The servers that imitate Google's interface do not have this part of it.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

OBJECTS = {}
LOCK = Lock()
BUCKET = sys.argv[2]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/xml"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("x-goog-generation", "1")
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 07:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def target(self):
        address = urlsplit(self.path)
        bucket, _, name = address.path.lstrip("/").partition("/")
        return bucket, unquote(name), parse_qs(address.query)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bucket, name, _ = self.target()
        if bucket != BUCKET:
            return self.refuse(404, "NoSuchBucket")
        with LOCK:
            exists = name in OBJECTS
            if exists and self.headers.get("x-goog-if-generation-match") == "0":
                return self.refuse(412, "PreconditionFailed")
            OBJECTS[name] = body
        self.answer(200)

    def do_GET(self):
        bucket, name, query = self.target()
        if bucket != BUCKET:
            return self.refuse(404, "NoSuchBucket")
        if name:
            body = OBJECTS.get(name)
            return self.refuse(404, "NoSuchKey") if body is None else self.answer(200, body, "application/octet-stream")
        prefix = query.get("prefix", [""])[0]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-22T07:00:00.000Z</LastModified>"
            f"<ETag>\"1\"</ETag><Size>{len(body)}</Size></Contents>"
            for key, body in sorted(OBJECTS.items())
            if key.startswith(prefix)
        )
        self.answer(200, f"<?xml version='1.0'?><ListBucketResult>{contents}</ListBucketResult>".encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
