"""Runs SQL on the engine of a warehouse and prints the rows.

Takes the name of a dialect. Standard input is a JSON object: `setup`, a list of statements, and `questions`, an object
of queries. Prints a JSON object with the rows of each query; a value is a text, or null.
"""

import datetime
import decimal
import json
import shutil
import sys
import tempfile


def text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return format(decimal.Decimal(repr(value)), "f")
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value)


def rows(found: list) -> list:
    return [[text(value) for value in row] for row in found]


def duckdb(setup: list[str], questions: dict[str, str], zone: str = "America/New_York") -> dict:
    import duckdb as engine

    connection = engine.connect()
    # The answers must not depend on the session's time zone.
    connection.execute(f"SET TimeZone = '{zone}'")
    for statement in setup:
        connection.execute(statement)
    return {name: rows(connection.execute(sql).fetchall()) for name, sql in questions.items()}


def bigquery(setup: list[str], questions: dict[str, str]) -> dict:
    """Parses BigQuery's dialect, translates it to DuckDB's, and runs that."""
    import sqlglot
    from sqlglot import exp

    def translate(sql: str) -> str:
        [tree] = sqlglot.parse(sql, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
        assert not isinstance(tree, exp.Command), f"sqlglot does not understand {sql}"
        for column in tree.find_all(exp.ColumnDef):
            # sqlglot makes DECIMAL(38, 5) of every BIGNUMERIC.
            kind = column.args["kind"]
            if "BIGDECIMAL" in kind.sql() or "BIGNUMERIC" in kind.sql():
                digits = [parameter.sql() for parameter in kind.expressions]
                column.set("kind", exp.DataType.build(f"DECIMAL({', '.join(digits)})"))
        return tree.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)

    import logging

    # It warns of partitions and clusters, which DuckDB does not have.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    answers = {name: translate(sql) for name, sql in questions.items()}
    # BigQuery has no time zone of a session: its functions take UTC.
    return duckdb([translate(statement) for statement in setup], answers, zone="UTC")


def snowflake(setup: list[str], questions: dict[str, str]) -> dict:
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import fakesnow
    import snowflake.connector as connector

    with fakesnow.patch():
        cursor = connector.connect(database="spanledger", schema="public").cursor()
        for statement in setup:
            cursor.execute(statement)
        return {name: rows(cursor.execute(sql).fetchall()) for name, sql in questions.items()}


def clickhouse(setup: list[str], questions: dict[str, str]) -> dict:
    from chdb import session

    folder = tempfile.mkdtemp()
    engine = session.Session(folder)
    try:
        # The answers must not depend on the session's time zone.
        engine.query("SET session_timezone = 'America/New_York', output_format_json_quote_decimals = 1")
        for statement in setup:
            engine.query(statement)
        answers = {}
        for name, sql in questions.items():
            output = str(engine.query(sql, "JSONCompactEachRow"))
            # Numbers are read as decimals, so that none passes through a float.
            lines = [json.loads(line, parse_float=decimal.Decimal) for line in output.splitlines()]
            answers[name] = rows(lines)
        return answers
    finally:
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)


ENGINES = {"clickhouse": clickhouse, "bigquery": bigquery, "snowflake": snowflake, "duckdb": duckdb}

if __name__ == "__main__":
    work = json.load(sys.stdin)
    answers = ENGINES[sys.argv[1]](work["setup"], work["questions"])
    json.dump(answers, sys.stdout)
