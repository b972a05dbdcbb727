"""Reads both sides of a two-way link, without trueup: SQLite with Python's own module, PostgreSQL with psql.

A record becomes a dictionary of normal values, such that two values mean the same when they are equal, whichever system
they lie in and however it spells them. What each field means is told by the caller, not guessed.
"""

import datetime
import decimal
import json
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import independent  # noqa: E402


def number(value):
    return format(independent.number(value), "f")


def moment(value):
    found = independent.moment(value)
    return found.isoformat(" ", "microseconds") if isinstance(found, datetime.datetime) else found


def document(value):
    """JSON, equal as a value. A document may come as it is, or as its text."""
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def text(value):
    if not isinstance(value, str):
        raise SystemExit(f"not a text: {value!r}")
    return value


NORMAL = {
    "number": number,
    "text": text,
    "moment": moment,
    "date": text,
    "bool": independent.boolean,
    "float": independent.floating,
    "json": document,
}

# How the values of a kind are ordered, where they are.
ORDER = {
    "number": decimal.Decimal,
    "text": lambda value: value.encode(),
    "moment": str,
    "date": str,
    "bool": bool,
    "float": float,
}


def normal(record, fields):
    """Returns a record, or the fields of one that are given, with normal values."""
    if record is None:
        return None
    return {name: None if value is None else NORMAL[fields[name]](value) for name, value in record.items()}


def identity(record, key):
    """Returns the text that names a record: its key's normal values."""
    return json.dumps([record[field] for field in key], ensure_ascii=False)


def dump(place, collections):
    """Returns all records of a place, by collection and key."""
    scheme, _, rest = place.partition(":")
    found = {}
    for name, record in {"sqlite": sqlite, "postgres": postgres}[scheme](rest, collections):
        collection = collections[name]
        record = normal(record, collection["fields"])
        at = (name, identity(record, collection["key"]))
        if at in found:
            raise SystemExit(f"two records have one key: {at}")
        found[at] = record
    return found


def sqlite(file, collections):
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for name in sorted(tables & set(collections)):
            for row in database.execute(f"SELECT * FROM {independent.quoted(name)}"):
                yield name, dict(row)
    finally:
        database.close()


def postgres(database, collections):
    """One call of psql: a query that makes the queries. JSON has no line ends of its own, so that a line is a record."""
    make = "SELECT format('SELECT %L, row_to_json(t) FROM public.%I t', tablename, tablename)"
    make += " FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename \\gexec\n"
    place = independent.Postgres(database)
    command = [*place.command[: place.command.index("-d")], "-A", "-t", "-d", database, "-f", "-"]
    done = subprocess.run(command, input=make.encode(), stdout=subprocess.PIPE, env=place.environment, check=False)
    if done.returncode:
        raise SystemExit("psql failed")
    for line in done.stdout.decode().split("\n"):
        name, _, record = line.partition("|")
        if name in collections:
            yield name, json.loads(record, parse_float=str)
