"""The jobs between PostgreSQL and what one person has: CSV files and SQLite. Invariant: as in `jobs`."""

import subprocess

from jobs import CSV_RECORD, DIGEST, SQLITE_DIGEST, Line, remove, sqlite, text_of
from timing import Failed, timed

#: As of a file that `.import` made, whose bytes are hexadecimal text.
FILE_DIGEST = SQLITE_DIGEST.replace(
    "ship_date, sig from", "ship_date, case typeof(sig) when ''blob'' then lower(hex(sig)) else sig end from"
)


def csv_pg(jobs):
    rows = jobs.rows(5_000_000)
    source, target = jobs.servers(rows)
    path = jobs.path("orders.csv")
    with open(path, "wb") as file:
        copy = source.psql("-c", "copy (select * from orders order by id) to stdout (format csv, header)")
        subprocess.run(copy, env=source.env(), stdout=file, check=True)
    plain = Line("csv-pg", "psql \\copy", rows, "--no-verify")

    def check(run):
        if target.sql(DIGEST) != jobs.expected:
            raise Failed("the target is not what the file is")
        return run

    def theirs():
        jobs.empty_target(target)
        load = target.psql("-c", f"\\copy orders from '{path}' (format csv, header)")
        return check(timed([load], env=target.env(), folder=jobs.work))

    def ours():
        jobs.empty_target(target)
        return check(jobs.sync("sync", f"csv:{path}", f"{target.url()}#orders", "--no-verify", env=target.env()))

    # A server's first load makes the files of its log.
    theirs()
    for number in range(jobs.pairs_max):
        jobs.pair(plain, number, theirs, ours)
    remove(path)


def pg_sqlite(jobs):
    rows = jobs.rows(1_000_000)
    source = jobs.servers(rows)[0]
    target = jobs.path("target.db")
    line = Line("pg-sqlite", "psql COPY csv | sqlite3 .import", rows, "--no-verify")
    wanted = []

    def check(run):
        found = sqlite(target, FILE_DIGEST)
        wanted.append(found)
        if found != wanted[0] or not found.startswith(f"{rows}|"):
            raise Failed(f"trueup and .import made different tables: {wanted[0]} and {found}")
        return run

    def theirs():
        remove(target)
        sqlite(target, text_of("orders_sqlite.sql"))
        out = source.psql("-c", f"copy ({CSV_RECORD}) to stdout (format csv)")
        load = ["sqlite3", "-bail", target, ".import --csv /dev/stdin orders"]
        return check(timed([out, load], pipe=True, env=source.env(), folder=jobs.work))

    def ours():
        remove(target)
        return check(jobs.sync("sync", f"{source.url()}#orders", f"sqlite:{target}", "--no-verify", env=source.env()))

    for number in range(jobs.pairs_max):
        jobs.pair(line, number, theirs, ours)
    remove(target)


JOBS = {"csv-pg": csv_pg, "pg-sqlite": pg_sqlite}
