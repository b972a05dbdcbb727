"""The other way to and from Parquet: ADBC's driver for PostgreSQL, and pyarrow. Run by `bench/run` in its environment.

    arrow.py dump URL FILE     a table into a file, batch by batch
    arrow.py load URL FILE     a file into a new table
    arrow.py count - FILE      how many records a file has
"""

import sys

import pyarrow
import pyarrow.parquet


def connect(url):
    import adbc_driver_postgresql.dbapi

    return adbc_driver_postgresql.dbapi.connect(url)


def dump(url, path):
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select * from orders")
        reader = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(path, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


def load(url, path):
    file = pyarrow.parquet.ParquetFile(path)
    # ADBC binds no extension type (UUID, JSON): what they are stored as.
    def plain(field):
        kind = field.type
        return field.with_type(kind.storage_type if isinstance(kind, pyarrow.BaseExtensionType) else kind)

    schema = pyarrow.schema([plain(field) for field in file.schema_arrow])

    def batches():
        for batch in file.iter_batches(65536):
            columns = [getattr(column, "storage", column) for column in batch.columns]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)

    with connect(url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("orders", pyarrow.RecordBatchReader.from_batches(schema, batches()), mode="create")
        cursor.execute("alter table orders add primary key (id)")
        connection.commit()


def main():
    step, url, path = sys.argv[1:]
    if step == "dump":
        dump(url, path)
    elif step == "load":
        load(url, path)
    else:
        print(pyarrow.parquet.ParquetFile(path).metadata.num_rows)


if __name__ == "__main__":
    main()
