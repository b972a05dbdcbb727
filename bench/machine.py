"""What the figures were measured on, and how busy it was."""

import os
import platform
import re
import subprocess


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def version_of(*command):
    """The first version number in what a program says about itself."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "missing"
    found = re.search(r"\d+(\.\d+)+", said)
    return found.group(0) if found else "unknown"


def memory_bytes():
    found = re.search(r"MemTotal:\s+(\d+) kB", read("/proc/meminfo"))
    return int(found.group(1)) * 1024 if found else 0


def describe(trueup, postgres, commit):
    cpu = re.search(r"model name\s*:\s*(.+)", read("/proc/cpuinfo"))
    system = re.search(r'PRETTY_NAME="(.+)"', read("/etc/os-release"))
    return {
        "cores": os.cpu_count(),
        "cpu": cpu.group(1).strip() if cpu else platform.machine(),
        "memory_gib": round(memory_bytes() / 2**30),
        "system": system.group(1) if system else platform.system(),
        "kernel": platform.release(),
        "trueup": f"{version_of(trueup, '--version')} ({commit})",
        "postgres": version_of(os.path.join(postgres, "postgres"), "--version"),
        "sqlite3": version_of("sqlite3", "--version"),
    }


def load():
    """How many processes wanted to run during the last minute."""
    return os.getloadavg()[0]


def busy_seconds():
    """Processor time that all processes of the machine have used since it started."""
    ticks = [int(field) for field in read("/proc/stat").split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _wait, interrupts, soft = ticks[:7]
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def children(parent):
    """The processes that `parent` started."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = read(f"/proc/{name}/stat").rpartition(")")[2].split()
        if len(fields) > 1 and int(fields[1]) == parent:
            found.append(int(name))
    return found
