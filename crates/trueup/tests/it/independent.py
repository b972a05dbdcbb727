#!/usr/bin/env python3
"""Tells whether two places hold the same records: a second opinion that shares no line with trueup.

    independent.py PLACE PLACE

A place is csv:FOLDER (NA is null), jsonl:FOLDER, sqlite:FILE, postgres:DATABASE (read with psql; PGHOST and the rest say where)
or mariadb:DATABASE (read with mariadb; MARIADB_SOCKET, MARIADB_USER and MYSQL_PWD say where).
Prints "equal", or for each collection how many records only one place has, with a few of them; exit code 0 or 1, and 2
when it cannot tell. Records are compared as a multiset of values, so keys do not matter; nor does the order of fields.

What a value means is decided per field by the types the two places declare. Files declare nothing and follow the other
side; two places that declare different kinds have different fields.
"""

import csv
import datetime
import decimal
import glob
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter

SHOWN_MAX = 5
csv.field_size_limit(1 << 30)
decimal.getcontext().prec = 100_000


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    one, other = (open_place(place) for place in sys.argv[1:])
    findings = compare_names(one.names(), other.names(), "collection")
    for name in sorted(set(one.names()) & set(other.names())):
        findings += [f"{name}: {finding}" for finding in compare(one, other, name)]
    for finding in findings:
        print(finding)
    if not findings:
        print("equal")
    return 1 if findings else 0


def compare_names(one, other, what):
    only = [f"{what} {name} is only at the first" for name in sorted(set(one) - set(other))]
    return only + [f"{what} {name} is only at the second" for name in sorted(set(other) - set(one))]


def compare(one, other, name):
    one_fields, other_fields = one.fields(name), other.fields(name)
    findings = compare_names(one_fields, other_fields, "field")
    kinds = {}
    for field in sorted(set(one_fields) & set(other_fields)):
        declared = {one_fields[field], other_fields[field]} - {None}
        if len(declared) > 1:
            findings.append(f"field {field} is {one_fields[field]} at the first and {other_fields[field]} at the second")
        else:
            kinds[field] = declared.pop() if declared else "text"
    if findings:
        return findings
    # One counter holds the difference of both sides: the second place is taken away from the first.
    count = Counter(normal_records(one, name, kinds))
    count.subtract(normal_records(other, name, kinds))
    for sign, where in ((1, "first"), (-1, "second")):
        records = [record for record, times in count.items() if times * sign > 0]
        total = sum(count[record] * sign for record in records)
        if total:
            findings.append(f"{total} records are only at the {where}")
            findings += [f"  {dict(zip(kinds, record))}" for record in records[:SHOWN_MAX]]
    return findings


def normal_records(place, name, kinds):
    """Yields each record as a tuple of normal values, in the order of `kinds`. Values repeat: each is worked out once."""
    order = {field: index for index, field in enumerate(place.fields(name))}
    columns = [(order[field], normalise, {}) for field, normalise in ((f, NORMAL[kind]) for f, kind in kinds.items())]
    for record in place.records(name):
        values = []
        for index, normalise, known in columns:
            value = record[index]
            if value is None:
                values.append(None)
                continue
            seen = (type(value), value)
            if seen not in known:
                known[seen] = normalise(value)
            values.append(known[seen])
        yield tuple(values)


# --- what values mean


def number(value):
    """Numbers are equal when they are the same number, however they are spelled."""
    return decimal.Decimal(repr(value) if isinstance(value, float) else str(value)).normalize()


def floating(value):
    """Floats are equal bit for bit, but that there is one NaN."""
    return repr(float(value))


def text(value):
    return expect(value, str)


def raw(value):
    return bytes.fromhex(value[2:]) if isinstance(value, str) else expect(value, bytes)


def boolean(value):
    return {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}[str(value).lower()]


def moment(value):
    """A point in time, in UTC. What the calendar of Python cannot hold is compared as it is spelled."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(Z|[+-]\d\d(?::?\d\d)?)?", expect(value, str))
    if not found:
        return value
    day, time, zone = found.groups()
    time = time if "." in time else time + ".0"
    parsed = datetime.datetime.strptime(f"{day} {time}", "%Y-%m-%d %H:%M:%S.%f")
    if zone in (None, "Z"):
        return parsed
    hours, minutes = int(zone[:3]), int(zone[-2:]) if len(zone) > 3 else 0
    return parsed - datetime.timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes)


def expect(value, kind):
    # A value of another type than declared (SQLite allows it) equals nothing but the same.
    return value if isinstance(value, kind) else (type(value).__name__, str(value))


NORMAL = {
    "number": number,
    "float": floating,
    "text": text,
    "bytes": raw,
    "bool": boolean,
    "date": text,
    "time": text,
    "timestamp": moment,
    "instant": moment,
    "uuid": lambda value: expect(value, str).lower(),
    "json": text,
}


# --- places


class Csv:
    def __init__(self, folder):
        self.files = {os.path.basename(path)[:-4]: path for path in glob.glob(os.path.join(folder, "*.csv"))}

    def names(self):
        return self.files

    def fields(self, name):
        with open(self.files[name], newline="", encoding="utf-8") as file:
            return dict.fromkeys(next(csv.reader(file)))

    def records(self, name):
        with open(self.files[name], newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            next(lines)
            for line in lines:
                yield [None if value == "NA" else value for value in line]


class Jsonl:
    """One object on each line; every line is one that trueup wrote, so the first names all fields."""

    def __init__(self, folder):
        self.files = {os.path.basename(path)[:-6]: path for path in glob.glob(os.path.join(folder, "*.jsonl"))}

    def names(self):
        return self.files

    def fields(self, name):
        return dict.fromkeys(next(self.objects(name), {}))

    def records(self, name):
        for found in self.objects(name):
            yield list(found.values())

    def objects(self, name):
        with open(self.files[name], encoding="utf-8") as file:
            for line in file:
                # Numbers keep their digits; a truth value is none.
                found = json.loads(line, parse_float=str, parse_int=str)
                yield {field: str(value).lower() if isinstance(value, bool) else value for field, value in found.items()}


SQLITE_KINDS = [
    (r"DECIMAL.*|NUMERIC.*", "number"),
    (r"REAL|FLOAT|DOUBLE.*", "float"),
    (r".*INT.*", "number"),
    (r"BOOLEAN", "bool"),
    (r"DATE", "date"),
    (r"TIMESTAMPTZ", "instant"),
    (r"TIMESTAMP|DATETIME", "timestamp"),
    (r"TIME", "time"),
    (r"JSON.*", "json"),
    (r"UUID", "uuid"),
    (r"BLOB", "bytes"),
    (r"TEXT|.*CHAR.*|.*CLOB.*", "text"),
]


class Sqlite:
    def __init__(self, file):
        if not os.path.exists(file):
            raise SystemExit(f"there is no file {file}")
        self.database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def names(self):
        tables = self.database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return [name for (name,) in tables if not name.startswith(("sqlite_", "_trueup_"))]

    def fields(self, name):
        fields = {}
        for _, field, declared, *_ in self.database.execute(f"PRAGMA table_info({quoted(name)})"):
            kinds = (kind for pattern, kind in SQLITE_KINDS if re.fullmatch(pattern, declared.upper()))
            fields[field] = next(kinds, None)
        return fields

    def records(self, name):
        fields = ", ".join(quoted(field) for field in self.fields(name))
        return self.database.execute(f"SELECT {fields} FROM {quoted(name)}")


POSTGRES_KINDS = {
    "smallint": "number",
    "integer": "number",
    "bigint": "number",
    "numeric": "number",
    "real": "float",
    "double precision": "float",
    "boolean": "bool",
    "date": "date",
    "time without time zone": "time",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "instant",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "bytea": "bytes",
    "text": "text",
    "character varying": "text",
}


class Postgres:
    def __init__(self, database):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql")) or [shutil.which("psql")]
        self.command = [found[-1], "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c"]
        self.environment = dict(os.environ, PGTZ="UTC", PGDATESTYLE="ISO", PGCLIENTENCODING="UTF8")

    def names(self):
        tables = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [name for (name,) in tables]

    def fields(self, name):
        columns = self.query(
            "SELECT column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = 'public' AND table_name = '{name}' ORDER BY ordinal_position"
        )
        return {field: POSTGRES_KINDS.get(kind) for field, kind in columns}

    def records(self, name):
        return self.query(f"SELECT * FROM public.{quoted(name)}")

    def query(self, sql):
        """COPY writes null as a bare \\N; a text that happens to be \\N is written in quotes, as every value is."""
        copy = f"COPY ({sql}) TO STDOUT (FORMAT csv, NULL '\\N', FORCE_QUOTE *)"
        with subprocess.Popen([*self.command, copy], stdout=subprocess.PIPE, env=self.environment) as process:
            yield from quoted_lines(process.stdout.read().decode())
        if process.returncode:
            raise SystemExit("psql failed")


MARIADB_KINDS = {
    "tinyint(1)": "bool",
    "tinyint": "number",
    "smallint": "number",
    "mediumint": "number",
    "int": "number",
    "bigint": "number",
    "decimal": "number",
    "float": "float",
    "double": "float",
    "date": "date",
    "time": "time",
    "datetime": "timestamp",
    "timestamp": "instant",
    "uuid": "uuid",
    "varchar": "text",
    "char": "text",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",
    "varbinary": "bytes",
    "blob": "bytes",
    "mediumblob": "bytes",
    "longblob": "bytes",
}


class Mariadb:
    """The client tells NULL from no text of the same letters only when asked for digits."""

    def __init__(self, database):
        self.command = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        self.command += ["--init-command=SET time_zone='+00:00'", "-u", os.environ["MARIADB_USER"], "-D", database]
        self.command += ["-S", os.environ["MARIADB_SOCKET"], "-e"]

    def names(self):
        names = (name for (name,) in self.query("SHOW TABLES"))
        return [name for name in names if not name.startswith("_trueup_")]

    def fields(self, name):
        columns = self.query(
            "SELECT column_name, data_type, column_type FROM information_schema.columns"
            f" WHERE table_schema = DATABASE() AND table_name = '{name}' ORDER BY ordinal_position"
        )
        return {field: MARIADB_KINDS.get(full) or MARIADB_KINDS.get(kind) for field, kind, full in columns}

    def records(self, name):
        fields = self.fields(name)
        columns = []
        for field, kind in fields.items():
            value = f"`{field}`"
            if kind != "bytes":
                value = f"CAST({f'CAST({value} AS DOUBLE)' if kind == 'float' else value} AS CHAR CHARACTER SET utf8mb4)"
            columns.append(f"COALESCE(HEX({value}), 'null')")
        for record in self.query(f"SELECT {', '.join(columns)} FROM `{name}`"):
            values = (None if value == "null" else bytes.fromhex(value) for value in record)
            kinds = zip(values, fields.values())
            yield [value if value is None or kind == "bytes" else value.decode() for value, kind in kinds]

    def query(self, sql):
        done = subprocess.run([*self.command, sql], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SystemExit("mariadb failed")
        return [line.split("\t") for line in done.stdout.decode().splitlines()]


def quoted_lines(content):
    """Reads CSV in which every value is quoted but null: Python's reader does not tell quoted from bare."""
    record, end = [], 0
    for found in re.finditer(r'(?:"((?:[^"]|"")*)"|\\N)([,\n])', content):
        if found.start() != end:
            raise SystemExit(f"psql wrote something unexpected at {end}")
        end = found.end()
        value, ends = found.groups()
        record.append(value and value.replace('""', '"'))
        if ends == "\n":
            yield record
            record = []
    if end != len(content):
        raise SystemExit(f"psql wrote something unexpected at {end}")


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def open_place(place):
    scheme, _, rest = place.partition(":")
    kinds = {"csv": Csv, "jsonl": Jsonl, "sqlite": Sqlite, "postgres": Postgres, "mariadb": Mariadb}
    if scheme not in kinds:
        raise SystemExit(f"not a place: {place}")
    return kinds[scheme](rest)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            sys.exit(2)
        raise
