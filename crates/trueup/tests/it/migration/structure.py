#!/usr/bin/env python3
"""Tells whether two places have the same structure: a second opinion that shares no line with trueup.

    structure.py URL URL [KIND ...]

A place is a postgres:// or mysql:// URL (read with psql or mariadb) or sqlite:FILE (read with sqlite3). The kinds named are
left out: unique, index, covered (indexes on the fields of a foreign key, which MariaDB makes by itself), foreign, notnull, default, identity, generated, check, comment. Prints what only one place has; exit code 0
where there is nothing.
"""

import json
import re
import subprocess
import sys
from urllib.parse import parse_qs, unquote, urlsplit


def main():
    one, other, without = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    first, second = facts(one), facts(other)
    if "covered" in without:
        first, second = uncovered(first), uncovered(second)
    wrong = 0
    for sign, here, there in (("-", first, second), ("+", second, first)):
        for fact in sorted(here - there, key=str):
            if fact[0] not in without:
                print(sign, *fact)
                wrong += 1
    print(f"{len(first)} and {len(second)} facts, {wrong} differ")
    return 1 if wrong or not first else 0


def facts(place):
    found = set()
    read = postgres if place.startswith("postgres") else mariadb if place.startswith("mysql") else sqlite
    for fact in read(place):
        found.add(tuple(fact))
    return {fact for fact in found if not fact[1].startswith("_trueup_")}


def uncovered(found):
    keys = {fact[1:3] for fact in found if fact[0] == "foreign"}
    return {fact for fact in found if fact[0] != "index" or fact[1:3] not in keys}


def run(command, sql):
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


POSTGRES = """
WITH t AS (SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind = 'r'),
names AS (SELECT r.oid AS roid, (SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(r.conkey) WITH ORDINALITY k(att, n)
    JOIN pg_attribute a ON a.attrelid = r.conrelid AND a.attnum = k.att) AS here,
  (SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(r.confkey) WITH ORDINALITY k(att, n)
    JOIN pg_attribute a ON a.attrelid = r.confrelid AND a.attnum = k.att) AS there FROM pg_constraint r)
SELECT json_build_array('foreign', t.relname, here, f.relname, there, r.confdeltype, r.confupdtype)
  FROM pg_constraint r JOIN t ON t.oid = r.conrelid JOIN names ON roid = r.oid JOIN pg_class f ON f.oid = r.confrelid WHERE contype = 'f'
UNION ALL SELECT json_build_array('key', t.relname, here) FROM pg_constraint r JOIN t ON t.oid = r.conrelid JOIN names ON roid = r.oid
  WHERE contype = 'p'
UNION ALL SELECT json_build_array('check', t.relname, pg_get_constraintdef(r.oid)) FROM pg_constraint r JOIN t ON t.oid = r.conrelid
  WHERE contype = 'c'
UNION ALL SELECT json_build_array(CASE WHEN i.indpred IS NOT NULL OR i.indexprs IS NOT NULL THEN 'odd'
    WHEN i.indisunique THEN 'unique' ELSE 'index' END, t.relname,
  CASE WHEN i.indpred IS NOT NULL OR i.indexprs IS NOT NULL THEN regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '')
  ELSE (SELECT string_agg(a.attname || CASE WHEN i.indoption[k.n - 1] & 1 = 1 THEN ' desc' ELSE '' END, ',' ORDER BY k.n)
    FROM unnest(i.indkey) WITH ORDINALITY k(att, n) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att) END)
  FROM pg_index i JOIN t ON t.oid = i.indrelid WHERE NOT i.indisprimary AND i.indisvalid
UNION ALL SELECT json_build_array('notnull', t.relname, attname) FROM pg_attribute a JOIN t ON t.oid = attrelid
  WHERE attnum > 0 AND NOT attisdropped AND attnotnull
UNION ALL SELECT json_build_array('default', t.relname, attname, pg_get_expr(adbin, adrelid)) FROM pg_attrdef d JOIN t ON t.oid = adrelid
  JOIN pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum WHERE attgenerated = '' AND pg_get_expr(adbin, adrelid) !~ '^nextval'
UNION ALL SELECT json_build_array('generated', t.relname, attname) FROM pg_attribute a JOIN t ON t.oid = attrelid WHERE attgenerated <> ''
UNION ALL SELECT json_build_array('identity', t.relname, attname, coalesce(pg_sequence_last_value(seqrelid) + seqincrement, seqstart)) FROM pg_attribute a
  JOIN t ON t.oid = attrelid JOIN pg_depend o ON o.refobjid = t.oid AND o.refobjsubid = a.attnum AND o.deptype IN ('a', 'i')
  JOIN pg_sequence s ON s.seqrelid = o.objid
UNION ALL SELECT json_build_array('comment', t.relname, coalesce(attname, ''), description) FROM pg_description e
  JOIN t ON t.oid = e.objoid AND e.classoid = 'pg_class'::regclass
  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = e.objsubid AND e.objsubid > 0
"""

RULES = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def postgres(url):
    for row in run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url], POSTGRES):
        if row[0] == "foreign":
            row[5:] = [rule(RULES[row[5]]), rule(RULES[row[6]])]
        if row[0] == "default":
            row[3] = plain(row[3])
        yield row


def rule(text):
    """What is refused is refused, now or at the end of the statement."""
    return "NO ACTION" if text == "RESTRICT" else text


def plain(text):
    """A default without casts, quotes and engines' spellings."""
    date = text.endswith("::date") or text.endswith("::date)")
    text = re.sub(r"::[a-z_ ]+(\(\d+\))?(\[\])?", "", text).strip("()").strip()
    lower = text.lower()
    if "now()" in lower and "'utc'" in lower:
        # SQLite's present time is UTC's.
        return "today" if date else "now"
    if re.fullmatch(r"(now|current_timestamp|localtimestamp|current_timestamp\(\d*\)?|now\(\d*\)?)|strftime\(.*", lower):
        return "now"
    if lower in ("current_date", "curdate", "current_date("):
        return "today"
    text = text[1:-1].replace("''", "'").replace("\\'", "'") if text.startswith("'") else text
    if text.lower() in ("true", "false"):
        return "1" if text.lower() == "true" else "0"
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


MARIADB = """
SELECT JSON_ARRAY('foreign', k.TABLE_NAME, GROUP_CONCAT(k.COLUMN_NAME ORDER BY ORDINAL_POSITION), k.REFERENCED_TABLE_NAME,
    GROUP_CONCAT(k.REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION), r.DELETE_RULE, r.UPDATE_RULE)
  FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME)
  WHERE k.TABLE_SCHEMA = DATABASE() AND r.TABLE_NAME = k.TABLE_NAME GROUP BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.REFERENCED_TABLE_NAME;
SELECT JSON_ARRAY(IF(INDEX_NAME = 'PRIMARY', 'key', IF(NON_UNIQUE = 0, 'unique', 'index')), TABLE_NAME,
    GROUP_CONCAT(CONCAT(COLUMN_NAME, IF(COLLATION = 'D', ' desc', '')) ORDER BY SEQ_IN_INDEX))
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() GROUP BY TABLE_NAME, INDEX_NAME, NON_UNIQUE;
SELECT JSON_ARRAY('notnull', TABLE_NAME, COLUMN_NAME) FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND IS_NULLABLE = 'NO';
SELECT JSON_ARRAY('default', TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT) FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_DEFAULT IS NOT NULL AND COLUMN_DEFAULT <> 'NULL';
SELECT JSON_ARRAY('identity', c.TABLE_NAME, COLUMN_NAME, CAST(AUTO_INCREMENT AS UNSIGNED)) FROM information_schema.COLUMNS c
  JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = DATABASE() AND EXTRA LIKE '%auto_increment%';
SELECT JSON_ARRAY('generated', TABLE_NAME, COLUMN_NAME) FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND EXTRA LIKE '%GENERATED%';
SELECT JSON_ARRAY('comment', TABLE_NAME, COLUMN_NAME, COLUMN_COMMENT) FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_COMMENT <> '';
SELECT JSON_ARRAY('comment', TABLE_NAME, '', TABLE_COMMENT) FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_COMMENT <> '' AND TABLE_TYPE = 'BASE TABLE';
"""


def mariadb(url):
    parts = urlsplit(url)
    options = {name: value[0] for name, value in parse_qs(parts.query).items()}
    command = ["mariadb", "--no-defaults", "-N", "-B", "-r", "--default-character-set=utf8mb4", f"--user={unquote(parts.username or '')}"]
    if parts.password:
        command.append(f"--password={unquote(parts.password)}")
    socket = options.get("socket") or (unquote(parts.hostname or "") if (parts.hostname or "").startswith("%2") else None)
    command += [f"--socket={socket}"] if socket else [f"--host={parts.hostname}", f"--port={parts.port or 3306}", "--protocol=tcp"]
    rows = run([*command, unquote(parts.path.lstrip("/"))], MARIADB)
    for row in rows:
        if row[0] == "foreign":
            row[5:] = [rule(row[5]), rule(row[6])]
        if row[0] == "default":
            row[3] = plain(row[3])
        yield row


def sqlite(place):
    path = place.removeprefix("sqlite:")
    import sqlite3

    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    ask = lambda sql, *values: database.execute(sql, values).fetchall()
    sequences = dict(ask("SELECT name, seq FROM sqlite_sequence"))
    for table, sql in ask("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"):
        columns = ask("SELECT name, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?)", table)
        key = [name for name, _, _, place, _ in sorted(columns, key=lambda column: column[3]) if place]
        yield "key", table, ",".join(key)
        for name, notnull, default, _, hidden in columns:
            if notnull:
                yield "notnull", table, name
            if default is not None:
                yield "default", table, name, plain(default)
            if hidden >= 2:
                yield "generated", table, name
        if "AUTOINCREMENT" in sql.upper():
            yield "identity", table, key[0], sequences.get(table, 0) + 1
        for index, unique, origin, partial in ask("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?)", table):
            parts = ask("SELECT name, \"desc\" FROM pragma_index_xinfo(?) WHERE \"key\" ORDER BY seqno", index)
            if origin != "pk" and not partial and all(name for name, _ in parts):
                names = ",".join(name + (" desc" if descends else "") for name, descends in parts)
                yield "unique" if unique else "index", table, names
        keys = {}
        for number, parent, here, there, update, delete in ask(
            "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq", table
        ):
            keys.setdefault(number, (parent, rule(delete), rule(update), [], []))
            keys[number][3].append(here)
            keys[number][4].append(there)
        for parent, delete, update, here, there in keys.values():
            yield "foreign", table, ",".join(here), parent, ",".join(there), delete, update


if __name__ == "__main__":
    sys.exit(main())
