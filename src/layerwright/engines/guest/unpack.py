"""Unpack one layer's tar from a loopback address into the root of this container.

Runs in a ``RUN`` step of a delivery build. What comes out must be exactly what the tar says, times of folders
included, since Docker makes the layer's diff id from it. Only what our deterministic tars hold is known.

Arguments: digest of the tar; file in which the address's beginning stands.
"""

import os
import sys
import urllib.request
from typing import BinaryIO, Dict, List, Tuple

BLOCK = 512
PIECE = 1 << 20


class Entry:
    """What a header, with the pax records before it, says."""

    def __init__(self, header: bytes, pax: Dict[bytes, bytes]) -> None:
        prefix = text(header[345:500])
        name = pax.pop(b"path", (prefix + b"/" if prefix else b"") + text(header[:100]))
        self.path = b"/" + name.rstrip(b"/")
        self.link = pax.pop(b"linkpath", text(header[157:257]))
        self.size = int(pax.pop(b"size")) if b"size" in pax else int(text(header[124:136]), 8)
        self.mode = int(text(header[100:108]), 8) & 0o7777
        self.moment = int(text(header[136:148]), 8)
        self.kind = header[156:157]
        parts = self.path.split(b"/")
        plain = self.kind in {b"0", b"2", b"5"} and header[108:124] == b"0000000\0" * 2 and not pax
        if not plain or b".." in parts or parts[-1].startswith(b".wh."):
            sys.exit("not a plain entry: " + ascii(name))


def text(field: bytes) -> bytes:
    """A header's field up to its NUL."""
    return field.split(b"\0", 1)[0]


def exactly(stream: BinaryIO, size: int) -> bytes:
    """As many bytes as asked for."""
    data = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            sys.exit("the tar ends too early")
        data += more
    return data


def records(data: bytes) -> Dict[bytes, bytes]:
    """Pax records: length, key, value."""
    found = {}
    while data:
        length = int(data[: data.index(b" ")])
        key, _, value = data[data.index(b" ") + 1 : length - 1].partition(b"=")
        found[key] = value
        data = data[length:]
    return found


def write(stream: BinaryIO, entry: Entry, buffer: memoryview) -> None:
    """Make a file."""
    if os.path.lexists(entry.path):
        os.unlink(entry.path)
    handle = os.open(entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    left = entry.size
    while left:
        count = stream.readinto(buffer[: min(left, PIECE)])  # type: ignore[attr-defined]
        if not count:
            sys.exit("the tar ends too early")
        done = 0
        while done < count:
            done += os.write(handle, buffer[done:count])
        left -= count
    os.fchown(handle, 0, 0)
    os.fchmod(handle, entry.mode)
    os.close(handle)
    exactly(stream, -entry.size % BLOCK)


def unpack(stream: BinaryIO) -> None:
    """Make every entry; times of folders come last, since filling a folder changes them."""
    buffer = memoryview(bytearray(PIECE))
    folders: List[Tuple[bytes, int]] = []
    pax: Dict[bytes, bytes] = {}
    os.umask(0)
    while True:
        header = exactly(stream, BLOCK)
        if header == bytes(BLOCK):
            break
        if header[156:157] == b"x":
            size = int(text(header[124:136]), 8)
            pax = records(exactly(stream, size + -size % BLOCK)[:size])
            continue
        entry = Entry(header, pax)
        pax = {}
        if entry.kind == b"5":
            if not os.path.isdir(entry.path):
                os.mkdir(entry.path)
            os.chown(entry.path, 0, 0)
            os.chmod(entry.path, entry.mode)
            folders.append((entry.path, entry.moment))
            continue
        if entry.kind == b"0":
            write(stream, entry, buffer)
        else:
            if os.path.lexists(entry.path):
                os.unlink(entry.path)
            os.symlink(entry.link, entry.path)
        os.utime(entry.path, (entry.moment, entry.moment), follow_symlinks=False)
    for path, moment in reversed(folders):
        os.utime(path, (moment, moment))


def main() -> None:
    """Fetch and unpack."""
    with open(sys.argv[2]) as file:
        address = file.read().strip()
    # No proxy of the build's environment stands between us and the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    unpack(opener.open(address + sys.argv[1], timeout=600))


if __name__ == "__main__":
    main()
