"""What other processes of this machine show of themselves while something runs."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def processes_watched(values: Sequence[bytes]) -> Iterator[list[str]]:
    """Look at every command line and environment of the machine, as often as it goes; gives where a value stands."""
    found: list[str] = []
    done = threading.Event()
    own = str(os.getpid())

    def look() -> None:
        while not done.is_set():
            for name in os.listdir("/proc"):  # noqa: PTH208 - as fast as it goes
                if name.isdecimal() and name != own:
                    for file in ("cmdline", "environ"):
                        with suppress(OSError):
                            data = Path(f"/proc/{name}/{file}").read_bytes()
                            if any(value in data for value in values):
                                found.append(f"{file} of {data[:80]!r}")
            time.sleep(0.01)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def spellings(value: str) -> list[bytes]:
    """A secret as tools write it; by other means than the scan's own."""
    import base64
    import json
    from urllib.parse import quote, quote_plus

    plain = value.encode()
    ways = {plain, quote(value).encode(), quote(value, safe="").encode(), quote_plus(value).encode()}
    ways |= {json.dumps(value)[1:-1].encode(), plain.hex().encode(), value.encode("utf-16-le")}
    for lead in (b"", b"u", b"us"):  # base64 at each of the three places in a group
        whole = base64.b64encode(lead + plain)
        ways.add(whole[4:-4])
    return sorted(ways)


def holding(folder: Path, ways: Sequence[bytes]) -> list[str]:
    """Files below a folder that hold one of the spellings, also in what they hold compressed."""
    import gzip
    import zlib

    found = []
    for path in folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with suppress(OSError, EOFError, zlib.error):
                data += gzip.decompress(data)
        if any(way in data for way in ways):
            found.append(str(path))
    return found
