"""Throw-away PostgreSQL servers on free ports of loopback, gone with this process however it ends."""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time

import machine
from timing import Failed

#: Settings that a person who copies many records would make; what is written is safe on disk (fsync stays on).
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "jit": "off",
}


def binaries():
    """The folder of the newest PostgreSQL that Debian has installed, or of the one on the path."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    found.sort(key=lambda path: int(path.split("/")[-3]))
    path = found[-1] if found else shutil.which("postgres")
    if not path:
        raise Failed("PostgreSQL is not installed; `./test --setup` installs it")
    return os.path.dirname(path)


def account(*names):
    """Whom the server runs as: it refuses root. `None` is ourselves."""
    if os.geteuid() != 0:
        return None
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise Failed(f"running as root, and there is no user {' or '.join(names)} to run a server as")


def privileged(user, command):
    """The command that runs another as `user`, to end with this process."""
    prefix = ["setpriv", "--pdeathsig", "QUIT"]
    if user:
        prefix += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*prefix, "--", *command]


class Postgres:
    """One server with one database, `bench`."""

    #: One for all servers: a client that connects to two of them finds it in one variable.
    password = secrets.token_hex(16)

    def __init__(self, work, name):
        self.bin, self.account = binaries(), account("postgres", "nobody")
        self.folder = os.path.join(work, name)
        self.data = os.path.join(self.folder, "data")
        self.process = None
        os.mkdir(self.folder, 0o700)
        secret = os.path.join(self.folder, "password")
        with open(secret, "w", encoding="ascii") as file:
            file.write(self.password)
        if self.account:
            for path in (self.folder, secret):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        initdb = ["initdb", "--no-sync", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres"]
        self.call(*initdb, "--pwfile", secret, "-D", self.data)

    def as_account(self, command):
        return privileged(self.account, [os.path.join(self.bin, command[0]), *command[1:]])

    def call(self, *command):
        done = subprocess.run(self.as_account(command), cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.launch()
        self.sql("create database bench", database="postgres")

    def launch(self):
        """Starts the server where it was before."""
        buffers = min(2048, machine.memory_bytes() // 2**20 // 8)
        settings = dict(SETTINGS, port=self.port, unix_socket_directories=self.folder, shared_buffers=f"{buffers}MB")
        command = ["postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            self.as_account(command),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        ready = [os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(600):
            if self.process.poll() is not None:
                break
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise Failed(f"the server did not start:\n{machine.read(os.path.join(self.folder, 'log'))[-2000:]}")

    def kill(self):
        """Kills every process of the server at once, as if its machine had died; what it wrote stays."""
        group = [self.process.pid, *machine.children(self.process.pid)]
        for pid in group:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.log.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            # Killed, it would leave its shared memory behind.
            self.process.send_signal(3)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.log.close()

    def env(self):
        """The environment in which clients find the server's password."""
        return dict(os.environ, PGPASSWORD=self.password, PGCLIENTENCODING="UTF8")

    def psql(self, *arguments, database="bench"):
        command = [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        return command + ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, *arguments]

    def sql(self, *statements, database="bench"):
        command = self.psql(database=database)
        for statement in statements:
            command += ["-c", statement]
        done = subprocess.run(command, env=self.env(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"a statement failed: {statements}\n{done.stderr}")
        return done.stdout.strip()

    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/bench"
