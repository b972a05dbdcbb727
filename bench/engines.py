"""The jobs between two engines: PostgreSQL and MariaDB.

Invariant: as in `jobs`. What both servers say of their tables is one text of each record, made the same way, and a sum
of its hashes; so a value that only looks like another is found.
"""

import os

from jobs import Line, text_of
from timing import Failed, timed

POSTGRES_DIGEST = (
    "select count(*) || ' ' || coalesce(sum(('x' || substr(md5(concat_ws('|', id, order_uuid, customer, amount, "
    "to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), paid::int, attrs, qty, "
    "coalesce(note, '<null>'), score, ship_date, encode(sig, 'hex'))), 1, 15))::bit(60)::bigint), 0) from orders"
)
MARIADB_DIGEST = (
    "select concat(count(*), ' ', coalesce(sum(cast(conv(left(md5(concat_ws('|', id, cast(order_uuid as char), "
    "customer collate utf8mb4_bin, amount, date_format(created_at, '%Y-%m-%d %H:%i:%s.%f'), paid, attrs, qty, "
    "coalesce(note collate utf8mb4_bin, '<null>'), score, ship_date, lower(hex(sig)))), 15), 16, 10) as unsigned)), 0)) "
    "from orders"
)
FIELDS = "id, order_uuid, customer, amount, created_at, paid, attrs, qty, note, score, ship_date"
#: What COPY says so that LOAD DATA reads it, and the other way round.
UNLOAD = (
    "copy (select id, order_uuid, customer, amount, created_at at time zone 'UTC', paid::int, attrs, qty, note, score, "
    "ship_date, encode(sig, 'hex') from orders) to stdout"
)
LOAD = (
    "load data local infile '/dev/stdin' into table orders character set utf8mb4 "
    f"({FIELDS}, @sig) set sig = unhex(@sig)"
)
SELECT = f"select {FIELDS}, concat('\\\\x', lower(hex(sig))) from orders"
#: What reladiff can compare of the table, where MariaDB has UUIDs as texts.
EIGHT = ("id", "order_uuid", "customer", "amount", "created_at", "qty", "note", "ship_date")
EIGHT_AS = "id bigint primary key, order_uuid char(36) not null"
#: How many records the slow rivals get, at most.
FEW = 100_000


class Engines:
    """One PostgreSQL server and one MariaDB server with the same table."""

    def __init__(self, jobs, rows):
        self.jobs, self.rows = jobs, rows
        self.postgres = jobs.servers(rows)[0]
        self.mariadb = jobs.start_mariadb()
        self.wanted = self.postgres.sql(POSTGRES_DIGEST)
        self.env = dict(self.postgres.env(), MYSQL_PWD=self.mariadb.password)
        # Where MariaDB is the source, the records go into another database of the server that holds them.
        self.postgres.sql("drop database if exists copied", "create database copied")

    def copied(self, *statements):
        return self.postgres.sql(*statements, database="copied")

    def copied_url(self):
        return self.postgres.url().replace("/bench", "/copied")

    def empty_mariadb(self):
        """An empty table, and nothing that an earlier run has left; not its log either."""
        self.mariadb.sql("drop table if exists orders, _trueup_epoch, _trueup_marker")
        self.mariadb.sql(text_of("orders_mariadb.sql"), "reset master")

    def empty_postgres(self):
        self.copied("drop schema if exists trueup cascade", "drop table if exists orders cascade")
        self.copied(text_of("orders_postgres.sql").split("\n\n")[0], "checkpoint")

    def check_mariadb(self, run):
        return self.agree(run, self.mariadb.sql(MARIADB_DIGEST))

    def check_postgres(self, run):
        return self.agree(run, self.copied(POSTGRES_DIGEST))

    def agree(self, run, found):
        if found != self.wanted or not found.startswith(f"{self.rows} "):
            raise Failed(f"the target is not what the source is: {self.wanted} and {found}")
        return run

    def into_mariadb(self):
        """The limit: COPY's lines go into LOAD DATA, which is the fastest that both have."""
        self.empty_mariadb()
        commands = [self.postgres.psql("-c", UNLOAD), self.mariadb.client("-e", LOAD)]
        return self.check_mariadb(timed(commands, pipe=True, env=self.env, folder=self.jobs.work))

    def into_postgres(self):
        """The limit: the lines of the client go into COPY."""
        self.empty_postgres()
        into = self.postgres.psql("-c", "copy orders from stdin (null 'NULL')", database="copied")
        commands = [self.mariadb.client("-e", SELECT), into]
        return self.check_postgres(timed(commands, pipe=True, env=self.env, folder=self.jobs.work))

    def sync_mariadb(self, *flags):
        self.empty_mariadb()
        source, target = f"{self.postgres.url()}#orders", f"{self.mariadb.url()}#orders"
        return self.check_mariadb(self.jobs.sync("sync", source, target, *flags, env=self.env))

    def sync_postgres(self, *flags):
        self.empty_postgres()
        source, target = f"{self.mariadb.url()}#orders", f"{self.copied_url()}#orders"
        return self.check_postgres(self.jobs.sync("sync", source, target, *flags, env=self.env))

    def urls(self):
        """The addresses of both as other tools want them: with the password, and without TLS."""
        postgres = self.postgres.url().replace("postgres@", f"postgres:{self.postgres.password}@", 1)
        mariadb = self.mariadb.url().replace("bench@", f"bench:{self.mariadb.password}@", 1)
        return postgres.replace("postgres:", "postgresql:", 1) + "?sslmode=disable", mariadb

    def few(self):
        """A smaller table for slow tools, its bytes as text: sling carries none."""
        rows = min(self.rows, FEW)
        self.postgres.sql(
            "drop table if exists few",
            "create table few as select id, order_uuid, customer, amount, created_at, paid, attrs, qty, note, score, "
            f"ship_date, encode(sig, 'hex') as sig from orders where id <= {rows}",
            "alter table few add primary key (id)",
            "analyze few",
        )
        return rows


def pg_mariadb(jobs):
    rows = jobs.rows(500_000)
    engines = Engines(jobs, rows)
    against = "psql COPY | LOAD DATA"
    plain = Line("pg-mariadb", against, rows, "--no-verify")
    verified = Line("pg-mariadb", against, rows, "")
    # A server's first load makes the files of its log, which all later ones use again; it belongs to neither side.
    engines.into_mariadb()
    for number in range(jobs.pairs_max):
        jobs.pair(plain, number, engines.into_mariadb, lambda: engines.sync_mariadb("--no-verify"))
        jobs.pair(verified, number, lambda: plain.theirs[-1], engines.sync_mariadb)
    if jobs.sling:
        few_into_mariadb(jobs, engines)


def few_into_mariadb(jobs, engines):
    """One pair, of few records: it takes long."""
    rows = engines.few()
    line = Line("pg-mariadb", "sling", rows, "--no-verify; bytes as text")
    total = engines.postgres.sql("select count(*) || ' ' || sum(amount) from few")

    def check(run):
        found = engines.mariadb.sql("select concat(count(*), ' ', sum(amount)) from few")
        if found != total:
            raise Failed(f"the target is not what the source is: {total} and {found}")
        engines.mariadb.sql("drop table few")
        return run

    def theirs():
        return check(sling(jobs, engines.urls(), ("public.few", "bench.few")))

    def ours():
        source, target = f"{engines.postgres.url()}#few", engines.mariadb.url()
        return check(jobs.sync("sync", source, target, "--no-verify", env=engines.env))

    jobs.pair(line, 0, theirs, ours)


def sling(jobs, urls, names):
    """Runs sling once; it takes addresses with passwords in them, from its environment."""
    env = dict(os.environ, SOURCE=urls[0], TARGET=urls[1], SLING_HOME_DIR=jobs.path("sling"))
    command = [jobs.sling, "run", "-m", "full-refresh", "--src-conn", "SOURCE", "--src-stream", names[0]]
    return timed([[*command, "--tgt-conn", "TARGET", "--tgt-object", names[1]]], env=env, folder=jobs.work)


def mariadb_pg(jobs):
    rows = jobs.rows(500_000)
    engines = Engines(jobs, rows)
    against = "mariadb | psql COPY"
    plain = Line("mariadb-pg", against, rows, "--no-verify")
    verified = Line("mariadb-pg", against, rows, "")
    engines.into_mariadb()
    engines.into_postgres()
    for number in range(jobs.pairs_max):
        jobs.pair(plain, number, engines.into_postgres, lambda: engines.sync_postgres("--no-verify"))
        jobs.pair(verified, number, lambda: plain.theirs[-1], engines.sync_postgres)
    target, source = engines.urls()
    target = target.replace("/bench", "/copied")
    if jobs.sling:
        few_into_postgres(jobs, engines, "sling", lambda: sling(jobs, (source, target), ("bench.few", "public.few")))
    if jobs.pgloader:
        few_into_postgres(jobs, engines, "pgloader", lambda: pgloader(jobs, source, target))


def few_into_postgres(jobs, engines, rival, theirs):
    """One pair, of few records."""
    rows = min(engines.rows, FEW)
    table = text_of("orders_mariadb.sql").replace("orders(", "few(").replace("sig varbinary(64)", "sig varchar(64)")
    # A collation and a type that pgloader knows.
    table = table.replace("utf8mb4_nopad_bin", "utf8mb4_bin").replace("order_uuid uuid", "order_uuid char(36)")
    records = f"insert into few select {FIELDS}, lower(hex(sig)) from orders where id <= {rows}"
    engines.mariadb.sql("drop table if exists few", table, records)
    line = Line("mariadb-pg", rival, rows, "--no-verify; bytes as text")
    total = engines.mariadb.sql("select concat(count(*), ' ', sum(amount)) from few")

    def fresh():
        engines.copied("drop schema if exists trueup, bench cascade", "drop table if exists few")

    def check(run):
        # pgloader makes a schema with the name of the database.
        path = "set search_path = bench, public"
        found = engines.copied(path, "select count(*) || ' ' || sum(amount) from few")
        if found != total:
            raise Failed(f"the target is not what the source is: {total} and {found}")
        return run

    def other():
        fresh()
        return check(theirs())

    def ours():
        fresh()
        source, target = f"{engines.mariadb.url()}#few", engines.copied_url()
        return check(jobs.sync("sync", source, target, "--no-verify", env=engines.env))

    jobs.pair(line, 0, other, ours)


def pgloader(jobs, source, target):
    """Runs pgloader once. It reads all tables that there are, so the others are left out by a file of commands."""
    script = jobs.path("pgloader.load")
    with open(script, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(
            f"load database from {source} into {target} "
            "including only table names matching 'few';\n"
        )
    return timed([[jobs.pgloader, "--no-ssl-cert-verification", script]], folder=jobs.work)


def compare_pg_mariadb(jobs):
    rows = jobs.rows(500_000)
    engines = Engines(jobs, rows)
    engines.into_mariadb()
    compare(jobs, engines, 0)
    compare(jobs, engines, jobs.damage(engines.mariadb, rows))


def compare(jobs, engines, different):
    flags = f"{different} differences" if different else "equal"
    line = Line("compare-pg-mariadb", "both servers stream to nowhere", engines.rows, flags)

    def theirs():
        out = engines.postgres.psql("-c", "copy orders to stdout (format binary)")
        select = engines.mariadb.client("-e", "select * from orders")
        return timed([out, select], env=engines.env, folder=jobs.work, kept=False)

    def ours():
        source, target = f"{engines.postgres.url()}#orders", f"{engines.mariadb.url()}#orders"
        run = jobs.sync("diff", source, target, "--json", env=engines.env, codes=(0, 1))
        jobs.judge(run, engines.rows, different)
        return run

    rival = Line("compare-pg-mariadb", "reladiff, 8 columns", engines.rows, flags)
    if jobs.reladiff:
        engines.mariadb.sql("drop table if exists eight", f"create table eight ({EIGHT_AS}) select {', '.join(EIGHT)} from orders")
    for number in range(jobs.pairs_max):
        jobs.pair(line, number, theirs, ours)
        if jobs.reladiff:
            jobs.pair(rival, number, lambda: reladiff(jobs, engines, different), lambda: line.ours[-1])


def reladiff(jobs, engines, different):
    """Runs reladiff once, over the columns whose types it knows on both sides; the differences are in one of them."""
    (postgres, mariadb), columns = engines.urls(), []
    for column in EIGHT[1:]:
        columns += ["-c", column]
    command = [jobs.reladiff, postgres, "orders", mariadb, "eight", "-k", "id", *columns, "-j", "2"]
    run = timed([command], env=engines.env, folder=jobs.work, codes=(0, 1))
    changes = [line[2:] for line in run.output.splitlines() if line.startswith(("+ ", "- "))]
    found = len({change.split(",")[0] for change in changes})
    if found != different or "ERROR" in run.errors:
        raise Failed(f"reladiff found {found} of {different} differences\n{run.errors[-2000:]}")
    return run


JOBS = {
    "pg-mariadb": pg_mariadb,
    "mariadb-pg": mariadb_pg,
    "compare-pg-mariadb": compare_pg_mariadb,
}
