"""Makes a wheel of an unpacked pkm-VERSION folder (see package.sh): pip install puts both commands on PATH.

    python3 pipelines/wheel.py FOLDER VERSION SECONDS OUTPUT_DIRECTORY

SECONDS since 1970 is the time of all files in it. Needs Python 3.9 and nothing else.
"""

import base64
import hashlib
import os
import platform
import sys
import time
import zipfile

folder, version, seconds, output = sys.argv[1:]
glibc = os.confstr("CS_GNU_LIBC_VERSION").split()[1].replace(".", "_")
tag = f"py3-none-manylinux_{glibc}_{platform.machine()}"
name = f"pkm-{version}"
info = f"{name}.dist-info"

files = {}
for directory, _, names in os.walk(folder):
    for file in names:
        path = os.path.join(directory, file)
        part = os.path.relpath(path, folder)
        kind, rest = part.split(os.sep, 1)
        files[f"{name}.data/scripts/{rest}" if kind == "bin" else f"{name}.data/data/{part}"] = open(path, "rb").read()
files["pkm_dataset.py"] = files[f"{name}.data/data/share/pkm/pkm_dataset.py"]
files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: pkm\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
files[f"{info}/METADATA"] = (
    f"Metadata-Version: 2.1\nName: pkm\nVersion: {version}\n"
    "Summary: Token shards and language models with product-key memory\n"
    "License: Apache-2.0\nRequires-Python: >=3.9\nRequires-Dist: numpy\nRequires-Dist: zstandard\n"
).encode()
record = f"{info}/RECORD"


def row(path, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


files[record] = ("".join(row(*item) for item in sorted(files.items())) + f"{record},,\n").encode()
path = os.path.join(output, f"{name}-{tag}.whl")
with zipfile.ZipFile(path + ".part", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
    for file, content in sorted(files.items()):
        entry = zipfile.ZipInfo(file, time.gmtime(int(seconds))[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if ".data/scripts/" in file else 0o100644) << 16
        wheel.writestr(entry, content)
os.replace(path + ".part", path)
