"""Install wheels with uv, then leave what a native build leaves: who installed, what was asked for, no traces of uv.

Runs in a ``RUN`` step with the image's own Python. Arguments: the folder with the packages, a JSON file that maps
each distribution's normalized name to ``{"requested": bool, "direct_url": text}``, then uv's command line.
"""

import base64
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def settle(folder: str, requested: bool, direct_url: str) -> None:
    """Write the installer's own files of one distribution, and RECORD's rows for them."""
    made = {"INSTALLER": b"layerwright\n"}
    if requested:
        made["REQUESTED"] = b""
    if direct_url:
        made["direct_url.json"] = direct_url.encode()
    name = os.path.basename(folder)
    for gone in ("uv_cache.json", "REQUESTED", "direct_url.json"):
        if os.path.exists(os.path.join(folder, gone)):
            os.unlink(os.path.join(folder, gone))
    own = {
        name + "/" + file for file in ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "RECORD")
    }
    record = os.path.join(folder, "RECORD")
    with open(record, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0] not in own]
    for file_name, content in made.items():
        with open(os.path.join(folder, file_name), "wb") as out:
            out.write(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append([name + "/" + file_name, "sha256=" + digest, str(len(content))])
    rows.append([name + "/RECORD", "", ""])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(sorted(rows))
    with open(record, "w", newline="", encoding="utf-8") as file:
        file.write(text.getvalue())


def main() -> int:
    """Install and settle; the exit status is uv's."""
    packages, listed, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.umask(0o022)
    # Settings of the base's, such as constraints of another lock, are not for the image's own wheels.
    env = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    status = subprocess.call(command, env=env)
    if status != 0:
        return status
    with open(listed, encoding="utf-8") as file:
        wheels = json.load(file)
    for name in sorted(os.listdir(packages)):
        if name.endswith(".dist-info"):
            wheel = wheels.get(normalized(name[: -len(".dist-info")].rpartition("-")[0]))
            if wheel is not None:
                settle(os.path.join(packages, name), wheel["requested"], wheel["direct_url"])
    prefix = packages.partition("/lib/")[0]
    if os.path.exists(prefix + "/.lock"):  # uv's, which keeps others from the environment meanwhile
        os.unlink(prefix + "/.lock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
