"""A secret is found in every spelling, wherever it stands and however its bytes come; what is told never holds it."""

import base64
import bz2
import gzip
import json
import lzma
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from layerwright.verify.secrets import SecretScanner, fault_of_secret, secret_findings
from layerwright.verify.secrets.archives import HEAD
from support.secret_samples import deb_of, tar_of, zip_of

pytestmark = pytest.mark.property

SIGNS = "abcXYZ0189@:/+=%&?#!$'\"\\ ~-_.é中"
passwords = st.one_of(
    st.text(SIGNS, min_size=6, max_size=24),
    st.text(st.characters(min_codepoint=33, exclude_categories=("Cs",)), min_size=6, max_size=90),
).filter(lambda text: text == text.strip() and "://" not in text and not fault_of_secret(text.encode()))


def percent_all(text: str) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in text.encode())


SPELLINGS = {
    "raw": str.encode,
    "percent": lambda text: quote(text, safe="").encode(),
    "percent, partly": lambda text: quote(text, safe="!$&'()*+,;=:").encode(),
    "percent, lower": lambda text: (
        quote(text, safe="").lower().encode() if text == text.lower() else quote(text).encode()
    ),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "percent, all": percent_all,
    "form": lambda text: quote_plus(text).encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 behind a user": lambda text: base64.b64encode(b"alice:" + text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"a:" + text.encode() + b"\n"),
    "base64 in lines": lambda text: base64.encodebytes(b"some text before it, " * 2 + text.encode()),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(b"ab:" + text.encode())),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "JSON": lambda text: json.dumps(text)[1:-1].encode(),
    "JSON, UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
}
PACKINGS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda data: zip_of({"a": b"1", "b": data}),
    "zip, streamed": lambda data: zip_of({"a": b"1", "b": data}, streamed=True),
    "tar": lambda data: tar_of({"a": b"1", "b": data}),
    "deb": lambda data: deb_of({"data.tar.gz": gzip.compress(tar_of({"b": data}))}),
}


def chunks(data: bytes, sizes: list[int]) -> list[bytes]:
    found, at, number = [], 0, 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        found.append(data[at : at + size])
        at, number = at + size, number + 1
    return found


def told(hits: object) -> str:
    return str(list(secret_findings(hits)))  # type: ignore[arg-type]


@settings(max_examples=150)
@given(
    secret=passwords,
    spelling=st.sampled_from(sorted(SPELLINGS)),
    before=st.binary(max_size=40),
    gap=st.sampled_from([0, 0, 0, 3000, 262_100, 266_239, 524_000]),
    after=st.binary(max_size=40),
    sizes=st.lists(st.integers(1, 300_000), min_size=1, max_size=4),
)
@example(secret="0000000" + "\x80" * 17 + "𐀀" * 6, spelling="JSON", before=b"", gap=0, after=b"", sizes=[1])
@example(secret="é0%30%300", spelling="raw", before=b"", gap=0, after=b"", sizes=[3])
def test_every_spelling_at_every_place(
    secret: str, spelling: str, before: bytes, gap: int, after: bytes, sizes: list[int]
) -> None:
    if sum(sizes) < 2000 and gap:
        sizes = [size * 1000 for size in sizes]
    written = SPELLINGS[spelling](secret)
    data = before + b"\n" * gap + b" " + written + b" " + after
    hits = SecretScanner({"it": secret.encode()}).scan_file("/x", chunks(data, sizes))
    known = [hit for hit in hits if hit.name == "it"]
    assert known
    assert any(len(before) + gap <= hit.offset < len(before) + gap + 1 + len(written) for hit in known)
    assert all(secret not in hit.excerpt and secret[:6] not in hit.excerpt for hit in hits)


@settings(max_examples=60)
@given(
    secret=passwords,
    packings=st.lists(st.sampled_from(sorted(PACKINGS)), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=3),
)
def test_inside_archives(secret: str, packings: list[str], sizes: list[int]) -> None:
    data = b"password = " + secret.encode()
    for packing in packings:
        data = PACKINGS[packing](data)
    hits = SecretScanner({"it": secret.encode()}).scan_file("/x", chunks(data, sizes))
    assert [hit.name for hit in hits if hit.kind == "LW-SECRET-KNOWN"] == ["it"]
    assert not [hit for hit in hits if hit.kind == "LW-SECRET-UNREAD"]


@settings(max_examples=80)
@given(data=st.binary(max_size=3000), secret=passwords, extra=st.text(SIGNS, max_size=200))
def test_what_does_not_hold_it_gives_nothing(data: bytes, secret: str, extra: str) -> None:
    whole = data + extra.encode()
    assume(len(secret) >= 8 and secret.encode()[:3] not in whole)
    hits = SecretScanner({"it": secret.encode()}).scan_file("/x", [whole])
    assert not [hit for hit in hits if hit.kind == "LW-SECRET-KNOWN"]


@settings(max_examples=80)
@given(
    secret=passwords,
    glue=st.lists(st.sampled_from(["=", " ", ":", "://", "@", "\n", "password=", '"']), max_size=6),
)
def test_what_is_told_never_holds_it(secret: str, glue: list[str]) -> None:
    text = secret.join(["", *glue, ""])
    scanner = SecretScanner({"it": secret.encode()})
    hits = (*scanner.scan_text("env X", text), *scanner.scan_file("/x", [text.encode()]))
    assert hits
    assert all(secret[:4] not in hit.excerpt for hit in hits)


HEADS = [
    b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    b"PK\x03\x04",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"!<arch>\ndebian-binary   ",
    b"#!/bin/x\nPK\x03\x04",
]
SOUND = [packing(b"some text " * 30) for packing in PACKINGS.values()]


@settings(max_examples=150)
@given(
    whole=st.one_of(
        st.tuples(st.sampled_from(HEADS), st.binary(max_size=600)).map(b"".join),
        st.tuples(
            st.sampled_from(SOUND), st.integers(0, 4000), st.binary(min_size=1, max_size=8), st.booleans()
        ).map(lambda made: damaged(*made)),
    ),
    sizes=st.lists(st.integers(1, 2 * HEAD), min_size=1, max_size=3),
)
def test_broken_archives_do_no_harm(whole: bytes, sizes: list[int]) -> None:
    scanner = SecretScanner({"it": b"Zx81kfjqP0dkeLw2"})
    hits = scanner.scan_file("/x", chunks(whole, sizes))
    assert all(hit.kind in {"LW-SECRET-UNREAD", "LW-SECRET-RULE"} for hit in hits)
    assert told(hits)
    # the parsers stop, the search does not
    late = scanner.scan_file("/x", [*chunks(whole, sizes), b" Zx81kfjqP0dkeLw2"])
    assert [hit.name for hit in late if hit.kind == "LW-SECRET-KNOWN"] == ["it"]


def damaged(data: bytes, at: int, change: bytes, cut: bool) -> bytes:
    at %= len(data)
    return data[:at] + change if cut else data[:at] + change + data[at + len(change) :]
