"""The programs of a benchmark: trueup itself, built, and those that it is compared with, fetched where they are missing: by pip into .cache/bench, or by apt-get."""

import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: What pip fetches, and where its program lies then: beneath the folder, or beneath what Python calls its packages.
PACKAGES = {
    "reladiff": (["reladiff==0.6.0", "psycopg2-binary", "mysql-connector-python"], "bin/reladiff"),
    "sling": (["sling-linux-amd64==1.4.11"], "lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"),
    "arrow": (["pyarrow==26.0.1", "adbc-driver-postgresql==1.13.0"], "bin/python3"),
    "tpch": (["tpchgen-cli==4.0.0", "duckdb"], "bin/tpchgen-cli"),
}


def starts(program, *arguments):
    try:
        command = [program, *(arguments or ["--version"])]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fetch(name, say):
    """Returns a program that pip has, fetched if need be; `None`, with a word, where that cannot be done."""
    packages, place = PACKAGES[name]
    folder = os.path.join(ROOT, ".cache", "bench", name)

    def program():
        return next(filter(starts, glob.glob(os.path.join(folder, place))), None)

    if program():
        return program()
    say(f"fetching {packages[0]}")
    # One that was moved has the old place in it, and does not start.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        pip = [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"left out: {packages[0]} cannot be fetched ({error})")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return program()


def install(name, say):
    """Returns a program that Debian has, installed if need be and we may; `None`, with a word, where that cannot be done."""
    if shutil.which(name):
        return shutil.which(name)
    say(f"installing {name}")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    env = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "--no-install-recommends", name]):
        try:
            # What it says about its work belongs to neither output of ours.
            subprocess.run([*env, *command], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"left out: {name} cannot be installed ({error})")
            return None
    return shutil.which(name)


def build(say):
    """Builds trueup as users have it, and returns the program."""
    say("building trueup")
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "-p", "trueup"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.path.join(os.path.abspath(os.path.join(ROOT, target)), "release", "trueup")
