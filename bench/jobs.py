"""The jobs: what is timed against what, and how it is checked that both did the same.

Invariant: the two sides of a pair run one after the other in the same minute, so that a busy machine slows both, and
after every timed run the engines' own clients say that what was made equals what was to be made.
"""

import json
import os
import shutil
import statistics
import subprocess

from link import SlowLink
from timing import Failed, timed

HERE = os.path.dirname(os.path.abspath(__file__))
DIGEST = "select count(*), sum(hash_record_extended(o, 0)) from orders o"
#: Every value with its type. The key is an order, so the digest is one of content. Of a double, the digits that every
#: sqlite3 reads from text alike: before 3.43, the last bit could be another.
SQLITE_DIGEST = (
    "select (select count(*) from orders), hex(sha3_query('select id, order_uuid, customer, amount, created_at, paid, "
    "attrs, qty, nullif(note, ''''), printf(''%.12g'', score), ship_date, sig from orders order by id'));"
)
#: How CSV says the values of a record, so that every program that reads them keeps their meaning.
CSV_RECORD = (
    "select id, order_uuid, customer, amount, "
    "rtrim(rtrim(to_char(created_at, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.') || '+00:00' as created_at, paid::int as paid, attrs, qty, note, score, ship_date, encode(sig, 'hex') as sig from orders order by id"
)

#: Bytes a second of a slow link, and the share of a table's bytes that may cross it when all is equal; a table of fewer bytes
#: than these is read.
SLOW_RATE, SLOW_SHARE_MAX, SMALL = 10_000_000, 0.02, 32 << 20


def text_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def sqlite(path, *statements):
    command, script = ["sqlite3", "-bail", "-batch", path], "\n".join(statements)
    done = subprocess.run(command, input=f"{script}\n", capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"sqlite3 refused: {statements}\n{done.stderr}")
    return done.stdout.strip()


def remove(*paths):
    for path in paths:
        for suffix in ("", "-wal", "-shm", "-journal"):
            if os.path.exists(path + suffix):
                os.remove(path + suffix)


class Line:
    """One line of the table: trueup against one other way to do the same."""

    def __init__(self, job, against, rows, flags):
        self.job, self.against, self.rows, self.flags = job, against, rows, flags
        self.theirs, self.ours = [], []

    def result(self):
        ratios = [ours.wall / theirs.wall for ours, theirs in zip(self.ours, self.theirs)]
        both = self.ours + self.theirs
        return {
            "job": self.job,
            "against": self.against,
            "rows": self.rows,
            "flags": self.flags,
            "pairs": len(ratios),
            "trueup_s": round(statistics.median(run.wall for run in self.ours), 3),
            "other_s": round(statistics.median(run.wall for run in self.theirs), 3),
            "ratio": round(statistics.median(ratios), 2),
            "ratios": [round(ratio, 3) for ratio in ratios],
            "memory_mib": round(max(run.memory for run in self.ours) / 2**20, 1),
            "other_memory_mib": round(max(run.memory for run in self.theirs) / 2**20, 1),
            "busy_s": round(statistics.median(run.busy for run in self.ours), 2),
            "other_busy_s": round(statistics.median(run.busy for run in self.theirs), 2),
            "load": round(max(run.load for run in both), 2),
        }


class Jobs:
    """All jobs, over one working folder and one pair of servers."""

    def __init__(self, work, trueup, rows, pairs, servers, rivals, say):
        self.work, self.trueup, self.rows_wanted, self.pairs_max = work, trueup, rows, pairs
        self.start_servers, self.start_mariadb = servers
        self.reladiff, self.sling, self.pgloader = (rivals.get(name) for name in ("reladiff", "sling", "pgloader"))
        self.arrow_python, self.pgcopydb = rivals.get("arrow"), rivals.get("pgcopydb")
        self.say = say
        self.lines, self.state, self.filled, self.expected = [], 0, 0, None

    def rows(self, default):
        return self.rows_wanted or default

    def path(self, name):
        return os.path.join(self.work, name)

    def sync(self, command, source, target, *flags, env=None, codes=(0,)):
        """Runs trueup once, with a state file of its own: no run knows of another."""
        self.state += 1
        state = self.path(f"state{self.state}.db")
        line = [self.trueup, command, source, target, "--state", state, "--quiet", *flags]
        try:
            return timed([line], env=env, folder=self.work, codes=codes)
        finally:
            remove(state)

    def pair(self, line, number, theirs, ours):
        """Times the other way, then trueup, and tells how it stands."""
        line.theirs.append(theirs())
        line.ours.append(ours())
        if line not in self.lines:
            self.lines.append(line)
        both = f"{line.against} {line.theirs[-1].wall:.2f} s, trueup {line.ours[-1].wall:.2f} s"
        self.say(f"  {line.job} {line.flags} pair {number + 1}: {both}")

    # Files

    def csv_file(self, rows):
        path = self.path("orders.csv")
        source = self.servers(rows)[0]
        with open(path, "wb") as file:
            copy = source.psql("-c", f"copy ({CSV_RECORD}) to stdout (format csv, header)")
            subprocess.run(copy, env=source.env(), stdout=file, check=True)
        return path

    def csv_sqlite(self):
        rows = self.rows(1_000_000)
        csv, target = self.csv_file(rows), self.path("csv.db")
        line = Line("csv-sqlite", "sqlite3 .import", rows, "--no-verify")
        wanted = []

        def fresh():
            remove(target)
            sqlite(target, text_of("orders_sqlite.sql"))

        def check(run):
            found = sqlite(target, SQLITE_DIGEST)
            wanted.append(found)
            if found != wanted[0] or not found.startswith(f"{rows}|"):
                raise Failed(f"trueup and .import made different tables: {wanted[0]} and {found}")
            return run

        def theirs():
            fresh()
            load = ["sqlite3", "-bail", target, f".import --csv --skip 1 {csv} orders"]
            return check(timed([load], folder=self.work))

        def ours():
            fresh()
            return check(self.sync("sync", f"csv:{csv}", f"sqlite:{target}#orders", "--no-verify"))

        for number in range(self.pairs_max):
            self.pair(line, number, theirs, ours)
        remove(csv, target)

    def sqlite_sqlite(self):
        rows = self.rows(1_000_000)
        csv, source, target = self.csv_file(rows), self.path("source.db"), self.path("target.db")
        remove(source)
        sqlite(source, text_of("orders_sqlite.sql"), f".import --csv --skip 1 {csv} orders")
        remove(csv)
        wanted = sqlite(source, SQLITE_DIGEST)

        def check(run):
            if sqlite(target, SQLITE_DIGEST) != wanted:
                raise Failed("the target is not what the source is")
            return run

        def theirs():
            remove(target)
            dump, load = ["sqlite3", source, ".dump"], ["sqlite3", "-bail", target]
            return check(timed([dump, load], pipe=True, folder=self.work))

        def ours(*flags):
            remove(target)
            return check(self.sync("sync", f"sqlite:{source}", f"sqlite:{target}", *flags))

        line = Line("sqlite-sqlite", "sqlite3 .dump | sqlite3", rows, "--no-verify")
        for number in range(self.pairs_max):
            self.pair(line, number, theirs, lambda: ours("--no-verify"))
        remove(source, target)

    # PostgreSQL

    def servers(self, rows):
        """Both servers, the first with `rows` records."""
        source, target = self.start_servers()
        if self.filled != rows:
            self.say(f"  making {rows} records")
            source.sql("drop table if exists orders cascade", text_of("orders_postgres.sql"))
            source.sql(f"insert into orders select * from make_orders(1, {rows})")
            source.sql("vacuum (freeze, analyze) orders", "checkpoint")
            self.filled, self.expected = rows, source.sql(DIGEST)
        return source, target

    def empty_target(self, target):
        """An empty table, and nothing that an earlier run has left."""
        target.sql("drop schema if exists trueup cascade", "drop table if exists orders cascade")
        target.sql(text_of("orders_postgres.sql"), "checkpoint")

    def copy(self, source, target):
        """The limit: what the server sends goes into the other server as it is."""
        out = source.psql("-c", "copy orders to stdout (format binary)")
        into = target.psql("-c", "copy orders from stdin (format binary)")
        return timed([out, into], pipe=True, env=source.env(), folder=self.work)

    def pg_pg(self):
        rows = self.rows(5_000_000)
        source, target = self.servers(rows)
        against = "psql COPY | psql COPY"
        plain = Line("pg-pg", against, rows, "--no-verify")
        hashed = Line("pg-pg", against, rows, "--compare hash")
        verified = Line("pg-pg", against, rows, "")
        rival = Line("pg-pg", "pgcopydb", rows, "--no-verify")

        def check(run):
            if target.sql(DIGEST) != self.expected:
                raise Failed("the target is not what the source is")
            return run

        def theirs():
            self.empty_target(target)
            return check(self.copy(source, target))

        def ours(*flags):
            self.empty_target(target)
            return check(self.sync("sync", source.url(), target.url(), *flags, env=source.env()))

        def pgcopydb():
            # It makes all that the database holds.
            target.sql("drop schema if exists trueup cascade", "drop table if exists orders cascade")
            target.sql("drop function if exists make_orders", "checkpoint")
            folder = self.path("pgcopydb")
            shutil.rmtree(folder, ignore_errors=True)
            command = [self.pgcopydb, "clone", "--source", source.url(), "--target", target.url(), "--dir", folder]
            command += ["--table-jobs", "2", "--index-jobs", "2", "--split-tables-larger-than", "300MB"]
            env = dict(source.env(), PATH=f"{source.bin}:{os.environ.get('PATH', '')}")
            return check(timed([[*command, "--no-owner", "--skip-extensions"]], env=env, folder=self.work))

        # A server's first load makes the files of its log, which all later ones use again; it belongs to neither side.
        theirs()
        for number in range(self.pairs_max):
            self.pair(plain, number, theirs, lambda: ours("--no-verify"))
            # The same run of the limit serves all lines.
            self.pair(hashed, number, lambda: plain.theirs[-1], lambda: ours("--compare", "hash"))
            self.pair(verified, number, lambda: plain.theirs[-1], ours)
            if self.pgcopydb:
                self.pair(rival, number, pgcopydb, lambda: plain.ours[-1])

    def compare_pg(self):
        rows = self.rows(5_000_000)
        source, target = self.servers(rows)
        self.empty_target(target)
        self.copy(source, target)
        target.sql("vacuum (freeze, analyze) orders", "checkpoint")
        self.compare(source, target, rows, 0, self.pairs_max)
        different = self.damage(target, rows)
        # The other tool takes minutes here.
        self.compare(source, target, rows, different, min(self.pairs_max, 2))

    def damage(self, target, rows):
        """Makes 1,000 scattered records differ (of few, each tenth): four of five by a number, one is missing."""
        step = max(rows // 1000, 10)
        target.sql(
            f"update orders set qty = qty + 1 where id % {step} = 0 and id / {step} % 5 <> 0",
            f"delete from orders where id % {step} = 0 and id / {step} % 5 = 0",
        )
        return rows // step

    def compare(self, source, target, rows, different, pairs):
        flags = f"{different} differences" if different else "equal"
        limit = Line("compare-pg", "hash scans in both servers", rows, flags)
        rival = Line("compare-pg", "reladiff", rows, flags)

        def hashes():
            fold = "select bit_xor(hash_record_extended(o, 0)) from orders o"
            commands = [server.psql("-c", fold) for server in (source, target)]
            run = timed(commands, env=source.env(), folder=self.work)
            both = run.output.split()
            if (both[0] == both[1]) != (different == 0):
                raise Failed("the servers' hashes say something else than is so")
            return run

        def reladiff():
            # It knows the scheme by its longer name only.
            urls = [server.url().replace("postgres:", "postgresql:", 1) for server in (source, target)]
            command = [self.reladiff, urls[0], "orders", urls[1], "orders", "-k", "id", "-c", "%", "-j", "2"]
            run = timed([command], env=source.env(), folder=self.work, codes=(0, 1))
            changes = [line[2:] for line in run.output.splitlines() if line.startswith(("+ ", "- "))]
            found = len({change.split(",")[0] for change in changes})
            if found != different or "ERROR" in run.errors:
                raise Failed(f"reladiff found {found} of {different} differences\n{run.errors[-2000:]}")
            return run

        def ours():
            run = self.sync("diff", source.url(), target.url(), "--json", env=source.env(), codes=(0, 1))
            self.judge(run, rows, different)
            return run

        for number in range(pairs):
            self.pair(limit, number, hashes, ours)
            if self.reladiff:
                self.pair(rival, number, reladiff, lambda: limit.ours[-1])

    def compare_slow(self):
        """The target behind a slow link: what matters is how little crosses it."""
        rows = self.rows(1_000_000)
        source, target = self.servers(rows)
        self.empty_target(target)
        self.copy(source, target)
        target.sql("vacuum (freeze, analyze) orders", "checkpoint")
        read, ours = Line("compare-slow", "psql COPY over the link", rows, "equal"), []
        for number in range(self.pairs_max):
            with SlowLink(target.port, SLOW_RATE) as link:
                port, target.port = target.port, link.port
                try:
                    copy = target.psql("-c", "copy orders to stdout (format binary)")
                    whole = timed([copy], env=source.env(), folder=self.work, kept=False)
                    all_bytes = link.crossed()
                    run = self.sync("diff", source.url(), target.url(), "--json", env=source.env(), codes=(0, 1))
                finally:
                    target.port = port
                ours.append((link.crossed() - all_bytes) / all_bytes)
            self.judge(run, rows, 0)
            read.flags = f"equal; {max(ours):.1%} of the bytes cross"
            self.pair(read, number, lambda: whole, lambda: run)
        if max(ours) > SLOW_SHARE_MAX and all_bytes > SMALL:
            raise Failed(f"{max(ours):.2%} of the table's bytes crossed the slow link, and nothing differs")

    @staticmethod
    def judge(run, rows, different):
        report = json.loads(run.output)["collections"][0]
        found = report["only_source"] + report["only_target"] + report["changed"]
        if (report["source_records"], found) != (rows, different):
            raise Failed(f"trueup found {found} of {different} differences in {report['source_records']} records")


    # Parquet

    def arrow(self, step, source, path):
        """The other way: ADBC's driver and pyarrow, in a process of their own."""
        command = [self.arrow_python, os.path.join(HERE, "arrow.py"), step, source.url(), path]
        return timed([command], env=source.env(), folder=self.work)

    def pg_parquet(self):
        rows = self.rows(5_000_000)
        source, target = self.servers(rows)
        if not self.arrow_python:
            self.say("left out: pg-parquet needs pyarrow and ADBC")
            return
        line = Line("pg-parquet", "ADBC, pyarrow", rows, "--no-verify")
        path = self.path("orders.parquet")

        def check(run):
            # By trueup's reader: pyarrow and ADBC carry neither the decimal's nor the JSON's type into the other server.
            self.empty_target(target)
            self.sync("sync", path, target.url(), "--no-verify", env=target.env())
            if target.sql(DIGEST) != self.expected:
                raise Failed("the file is not what the source is")
            return run

        def theirs():
            remove(path)
            run = self.arrow("dump", source, path)
            counted = [self.arrow_python, os.path.join(HERE, "arrow.py"), "count", "-", path]
            found = timed([counted], folder=self.work).output.strip()
            if found != str(rows):
                raise Failed(f"{found} records in the file, not {rows}")
            return run

        def ours():
            remove(path)
            return check(self.sync("sync", source.url(), path, "--no-verify", env=source.env()))

        for number in range(self.pairs_max):
            self.pair(line, number, theirs, ours)
        remove(path)

    def parquet_pg(self):
        rows = self.rows(5_000_000)
        source, target = self.servers(rows)
        if not self.arrow_python:
            self.say("left out: parquet-pg needs pyarrow and ADBC")
            return
        line = Line("parquet-pg", "pyarrow, ADBC", rows, "--no-verify")
        path = self.path("orders.parquet")
        remove(path)
        self.sync("sync", source.url(), path, "--no-verify", env=source.env())

        def check(run):
            if target.sql(DIGEST) != self.expected:
                raise Failed("the target is not what the file is")
            return run

        def theirs():
            # Decimals, UUIDs and JSON travel as texts and bytes: ADBC binds them as no other type. The key is there already.
            target.sql("drop schema if exists trueup cascade", "drop table if exists orders cascade", "checkpoint")
            run = self.arrow("load", target, path)
            found = target.sql("select count(*) from orders")
            if found != str(rows):
                raise Failed(f"{found} records in the target, not {rows}")
            return run

        def ours():
            self.empty_target(target)
            return check(self.sync("sync", path, target.url(), "--no-verify", env=target.env()))

        for number in range(self.pairs_max):
            self.pair(line, number, theirs, ours)
        remove(path)


JOBS = {
    "csv-sqlite": Jobs.csv_sqlite,
    "sqlite-sqlite": Jobs.sqlite_sqlite,
    "pg-pg": Jobs.pg_pg,
    "compare-pg": Jobs.compare_pg,
    "compare-slow": Jobs.compare_slow,
    "pg-parquet": Jobs.pg_parquet,
    "parquet-pg": Jobs.parquet_pg,
}
