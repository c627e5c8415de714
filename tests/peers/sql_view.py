"""Reads a ledger's view `openai_events` with Python's SQLite, pandas and DuckDB.

Takes the ledger's path and prints one JSON object: what each of the three answers to the same questions, the
types that pandas and DuckDB give to the columns, and the values that DuckDB reads differently than SQLite.
"""

import importlib.util
import json
import math
import sqlite3
import sys
from pathlib import Path

import duckdb
import pandas

QUESTIONS = {
    "requests": "SELECT count(*) FROM openai_events",
    "above": "SELECT count(*) FROM openai_events WHERE cost_usd > 0.1",
    "between": "SELECT count(*) FROM openai_events WHERE cost_usd > 1 AND cost_usd < 10",
    "dearest": "SELECT event_id FROM openai_events WHERE cost_usd IS NOT NULL ORDER BY cost_usd DESC, event_id",
    "max": "SELECT max(cost_usd) FROM openai_events",
    "sum": "SELECT sum(cost_usd) FROM openai_events",
    "billed_micros": "SELECT sum(billed_usd_micros) FROM openai_events",
    "billed_picos": "SELECT sum(billed_usd_picos) FROM openai_events",
    "tokens": "SELECT sum(prompt_tokens) FROM openai_events",
    "days": """SELECT substr("timestamp", 1, 10) AS day, count(*), sum(billed_usd)
               FROM openai_events GROUP BY 1 ORDER BY 1""",
    "times": 'SELECT "timestamp" FROM openai_events ORDER BY "timestamp", event_id',
}


def scalar_or_list(rows: list) -> object:
    rows = [list(row) for row in rows]
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    return [row[0] if len(row) == 1 else row for row in rows]


def with_pandas(frame: pandas.DataFrame) -> dict:
    cost = frame["cost_usd"]
    days = frame.assign(day=pandas.to_datetime(frame["timestamp"]).dt.strftime("%Y-%m-%d")).groupby("day")
    dearest = frame[cost.notna()].sort_values(["cost_usd", "event_id"], ascending=[False, True])
    return {
        "requests": len(frame),
        "above": int((cost > 0.1).sum()),
        "between": int(((cost > 1) & (cost < 10)).sum()),
        "dearest": dearest["event_id"].tolist(),
        "max": float(cost.max()),
        "sum": float(cost.sum()),
        "billed_micros": int(frame["billed_usd_micros"].sum()),
        "billed_picos": int(frame["billed_usd_picos"].sum()),
        "tokens": int(frame["prompt_tokens"].sum()),
        "days": [[day, len(rows), float(rows["billed_usd"].sum())] for day, rows in days],
        "times": sorted(
            at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
            for at in pandas.to_datetime(frame["timestamp"])
        ),
    }


def is_same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-14)
    # DuckDB has truth values, SQLite has 0 and 1.
    return a == b


def main(path: str) -> None:
    sqlite = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    frame = pandas.read_sql("SELECT * FROM openai_events", sqlite)

    duck = duckdb.connect()
    package = importlib.util.find_spec("duckdb_extension_sqlite_scanner")
    [extension] = Path(package.origin).parent.rglob("*.duckdb_extension")
    duck.execute(f"LOAD '{extension}'")
    duck.execute(f"ATTACH '{path}' AS ledger (TYPE sqlite, READ_ONLY)")
    duck.execute("USE ledger")

    everything = "SELECT * FROM openai_events ORDER BY event_id"
    cursor = sqlite.execute(everything)
    names = [column[0] for column in cursor.description]
    pairs = zip(cursor.fetchall(), duck.sql(everything).fetchall(), strict=True)
    different = [
        [name, str(a), str(b)]
        for ours, theirs in pairs
        for name, a, b in zip(names, ours, theirs, strict=True)
        if not is_same(a, b)
    ]
    answer = {
        "sqlite": {name: scalar_or_list(sqlite.execute(sql).fetchall()) for name, sql in QUESTIONS.items()},
        "duckdb": {name: scalar_or_list(duck.sql(sql).fetchall()) for name, sql in QUESTIONS.items()},
        "pandas": with_pandas(frame),
        "duckdb_types": [[row[0], row[1]] for row in duck.sql("DESCRIBE openai_events").fetchall()],
        "pandas_numbers": {
            name: pandas.api.types.is_numeric_dtype(column) for name, column in frame.items() if column.notna().any()
        },
        "duckdb_latest": str(duck.sql('SELECT max(CAST("timestamp" AS TIMESTAMP)) FROM openai_events').fetchone()[0]),
        "different": different,
    }
    print(json.dumps(answer))


main(sys.argv[1])
