"""A throw-away MariaDB server on a free port of loopback, gone with this process however it ends."""

import os
import secrets
import shutil
import socket
import subprocess
import time

import machine
from servers import account, privileged
from timing import Failed

#: Settings that a person who copies many records would make; what is written is safe on disk, and there is a log for
#: replicas, as a server has one that anything else follows.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "1",
    "innodb-log-file-size": "1G",
    "innodb-flush-method": "O_DIRECT",
    "innodb-flush-log-at-trx-commit": "1",
    "sync-binlog": "1",
    "log-bin": "bin",
    "binlog-format": "ROW",
    "server-id": "1",
    "local-infile": "1",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "max-allowed-packet": "256M",
}


def program(*names):
    """The path of a program that goes by one of these names."""
    folders = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    for name in names:
        path = shutil.which(name, path=folders)
        if path:
            return path
    raise Failed(f"{names[0]} is not installed; `./test --setup` installs it")


class MariaDB:
    """One server with one database, `bench`."""

    password = secrets.token_hex(16)

    def __init__(self, work, name):
        self.account = account("mysql", "nobody")
        self.folder = os.path.join(work, name)
        self.data = os.path.join(self.folder, "data")
        self.process = None
        os.mkdir(self.folder, 0o700)
        # The server reads it before anybody can connect.
        self.first = os.path.join(self.folder, "first.sql")
        with open(self.first, "w", encoding="ascii") as file:
            file.write(
                f"ALTER USER root@localhost IDENTIFIED BY '{self.password}';\n"
                f"CREATE USER bench@'%' IDENTIFIED BY '{self.password}';\n"
                "GRANT ALL ON *.* TO bench@'%';\nCREATE DATABASE bench;\n"
            )
        if self.account:
            for path in (self.folder, self.first):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        install = [program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal"]
        done = subprocess.run(
            privileged(self.account, install), cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        buffers = min(2048, machine.memory_bytes() // 2**20 // 8)
        settings = dict(SETTINGS, port=self.port, datadir=self.data, socket=os.path.join(self.folder, "socket"))
        settings["innodb-buffer-pool-size"], settings["init-file"] = f"{buffers}M", self.first
        settings["pid-file"] = os.path.join(self.folder, "pid")
        command = [program("mariadbd", "mysqld"), "--no-defaults", f"--tmpdir={self.folder}"]
        command += [f"--{name}={value}" for name, value in settings.items()]
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            privileged(self.account, command),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        for _ in range(600):
            if self.process.poll() is not None:
                break
            asked = subprocess.run(self.client("-e", "select 1"), env=self.env(), capture_output=True, check=False)
            if asked.returncode == 0:
                return
            time.sleep(0.1)
        raise Failed(f"the server did not start:\n{machine.read(os.path.join(self.folder, 'log'))[-2000:]}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.log.close()

    def env(self):
        """The environment in which clients find the server's password."""
        return dict(os.environ, MYSQL_PWD=self.password)

    def client(self, *arguments):
        command = [program("mariadb", "mysql"), "--no-defaults", "--local-infile=1", "-h", "127.0.0.1"]
        command += ["-P", str(self.port), "-u", "bench", "--default-character-set=utf8mb4", "-N", "-B", "--quick"]
        return [*command, *arguments, "bench"]

    def sql(self, *statements):
        script = ";\n".join(statements)
        done = subprocess.run(
            self.client(), input=script, env=self.env(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"a statement failed: {statements}\n{done.stderr}")
        return done.stdout.strip()

    def url(self):
        return f"mysql://bench@127.0.0.1:{self.port}/bench"
