"""Reads the files of the sink `parquet` with DuckDB and pyarrow, as its README shows.

    lake.py read FOLDER SQL        the view that the SQL creates over a folder, and the types of its columns
    lake.py read-s3 ENDPOINT PATH  the same rows of a folder of an S3 server, by pyarrow
    lake.py container CONNECTION NAME
                                   creates a container of an Azure server
    lake.py user ENDPOINT          a user of an AWS server who has no right, with a key

It prints one JSON object. Decimals are texts, so that no digit is lost.
"""

import json
import sys

import duckdb
import pyarrow.dataset as dataset
import pyarrow.fs as fs
import pyarrow.parquet as parquet


def rows(relation):
    columns = relation.columns
    return [dict(zip(columns, (None if value is None else str(value) for value in row))) for row in relation.fetchall()]


def read(folder, sql):
    duck = duckdb.connect()
    duck.sql("SET TimeZone = 'UTC'")
    duck.sql(sql)
    lake = dataset.dataset(folder, format="parquet", partitioning="hive")
    table = lake.to_table()
    files = [parquet.ParquetFile(file) for file in lake.files]
    return {
        "rows": rows(duck.sql("SELECT event_id, revision, state, cost_usd, audio_seconds, CAST(timestamp AS VARCHAR) AS timestamp, dims FROM openai_events ORDER BY event_id")),
        "types": {name: kind for name, kind, *_ in duck.sql("DESCRIBE openai_events").fetchall()},
        "sum": str(duck.sql("SELECT sum(cost_usd) FROM openai_events").fetchall()[0][0]),
        "arrow_types": {field.name: str(field.type) for field in table.schema},
        "arrow_costs": sorted(str(cost) for cost in table["cost_usd"].to_pylist() if cost is not None),
        "arrow_rows": table.num_rows,
        "nullable": {field.name: field.nullable for field in files[0].schema_arrow},
        "partitions": sorted(str(date) for date in set(table["date"].to_pylist())),
    }


def read_s3(endpoint, path):
    server = fs.S3FileSystem(
        access_key="key", secret_key="secret", region="us-east-1", endpoint_override=endpoint, scheme="http"
    )
    events = dataset.dataset(path, filesystem=server, format="parquet", partitioning="hive").to_table()
    duck = duckdb.connect()
    return {"sum": str(duck.sql("SELECT sum(cost_usd) FROM events").fetchall()[0][0]), "rows": events.num_rows}


def container(connection, name):
    from azure.storage.blob import BlobServiceClient

    BlobServiceClient.from_connection_string(connection).create_container(name)
    return {}


def user(endpoint):
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    return {"id": key["AccessKeyId"], "key": key["SecretAccessKey"]}


COMMANDS = {"read": read, "read-s3": read_s3, "container": container, "user": user}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
