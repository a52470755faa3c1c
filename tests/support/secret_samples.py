"""Made-up secrets: no real one, not even a revoked one, stands in this repository."""

import base64
import io
import random
import re
import string
import tarfile
import zipfile
from collections.abc import Mapping

_SETS = {
    "alnum": string.ascii_letters + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base64": string.ascii_letters + string.digits + "+/",
    "digit": string.digits,
    "hex": "0123456789abcdef",
    "letter": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
}


def expand(example: str, seed: int = 1) -> str:
    """The text with each ``<alnum:36>`` replaced by so many random signs of the set; the same seed gives the same."""
    chance = random.Random(seed)
    return re.sub(
        r"<([a-z0-9]+):(\d+)>",
        lambda match: "".join(chance.choices(_SETS[match[1]], k=int(match[2]))),
        example,
    )


def zip_of(
    files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, streamed: bool = False
) -> bytes:
    """A zip; ``streamed`` puts sizes behind the members, as writers to pipes do."""
    out = io.BytesIO()
    with zipfile.ZipFile(_Pipe(out) if streamed else out, "w", method) as archive:  # type: ignore[arg-type]
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tar_of(files: Mapping[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def deb_of(files: Mapping[str, bytes]) -> bytes:
    """An ar archive as Debian packages are."""
    out = b"!<arch>\n"
    for name, content in {"debian-binary": b"2.0\n", **files}.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def basic(user: str, password: bytes) -> bytes:
    """An account as HTTP's Basic authentication writes it."""
    return base64.b64encode(user.encode() + b":" + password)


class _Pipe(io.RawIOBase):
    """Takes bytes and cannot go back."""

    def __init__(self, out: io.BytesIO) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._out.write(data)
