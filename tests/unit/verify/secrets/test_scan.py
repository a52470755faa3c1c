"""The scan of files and settings: borders of pieces, places, what is shown."""

import pytest

from layerwright.verify.secrets import Limits, SecretScanner
from layerwright.verify.secrets.forms import REACH
from support.secret_samples import expand

VALUE = b"Zx81kfjqP0dkeLw2"
TOKEN = expand("ghp_<alnum:36>").encode()


@pytest.fixture
def scanner() -> SecretScanner:
    return SecretScanner({"token": VALUE})


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [977, 300_000, 1 << 20])
@pytest.mark.parametrize("at", [0, 5, 262_144 - REACH - 3, 262_144 - 8, 262_144, 599_984])
def test_over_the_borders_of_pieces(scanner, size, at):
    data = bytearray(b"\n" * (600_000 if at else 100))
    data[at : at + len(VALUE)] = VALUE
    (hit,) = scanner.scan_file("/x", pieces(bytes(data), size))
    assert (hit.offset, hit.line) == (at, at + 1)


def test_byte_by_byte(scanner):
    (hit,) = scanner.scan_file("/x", pieces(b"x\n" + VALUE + b"\n", 1))
    assert (hit.offset, hit.line) == (2, 2)


@pytest.mark.parametrize("at", [0, 262_144 - REACH - 3, 262_144 - 8, 599_950])
def test_rules_over_the_borders_of_pieces(scanner, at):
    data = bytearray(b"\n" * 600_000)
    data[at : at + len(TOKEN)] = TOKEN
    (hit,) = scanner.scan_file("/x", pieces(bytes(data), 100_000))
    assert (hit.name, hit.offset, hit.line) == ("github-token", at, at + 1)


def test_nothing(scanner):
    assert scanner.scan_file("/x", []) == ()
    assert scanner.scan_file("/x", [b""]) == ()
    assert scanner.scan_text("env X", "") == ()


def test_a_file_that_is_no_text_has_no_lines(scanner):
    (hit,) = scanner.scan_file("/x", [b"\x7fELF\0" + VALUE])
    assert (hit.line, hit.offset) == (0, 5)


def test_exact_shapes_are_looked_for_in_small_files_that_are_no_text(scanner):
    assert [hit.name for hit in scanner.scan_file("/x.pyc", [b"\0\1" + TOKEN])] == ["github-token"]
    assert scanner.scan_file("/x.pyc", [b"\0\1" + expand("AKIA<base32:16>").encode()]) == ()


def test_rules_stop_where_the_limits_say():
    scanner = SecretScanner({"token": VALUE}, limits=Limits(text=1 << 20))
    data = b"a\n" * (2 << 20)
    assert [hit.name for hit in scanner.scan_file("/x", [data, TOKEN, b" ", VALUE])] == ["token"]


def test_of_many_alike_the_first_are_listed(scanner):
    hits = scanner.scan_file("/x", [b"v " + VALUE + b"\n"] * 10)
    assert [hit.line for hit in hits] == [1, 2, 3]
    assert [hit.more for hit in hits] == [0, 0, 7]


def test_a_rule_is_silent_where_the_value_is_known():
    scanner = SecretScanner({"github": TOKEN})
    assert [hit.name for hit in scanner.scan_text("env T", f"T={TOKEN.decode()}")] == ["github"]


def test_layer_and_place(scanner):
    scan = scanner.open_file("/etc/pip.conf", layer="sha256:1")
    scan.feed(b"[global]\npassword = " + VALUE)
    (hit,) = scan.close()
    assert (hit.where, hit.layer, hit.line, hit.excerpt) == (
        "/etc/pip.conf",
        "sha256:1",
        2,
        "password = ****",
    )


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("PIP_INDEX_URL=https://alice:{}@h/simple", "PIP_INDEX_URL=https://****"),
        ("index-url = https://{}@h/simple", "index-url = https://****"),
        ("machine h login alice password {}", "password ****"),
        ('"password": "{}"', 'password": "****'),
        ("{0}={0}", "****"),
        ("{}", "****"),
        ("xx{}", "****"),
    ],
)
def test_what_is_shown(scanner, text, excerpt):
    hits = [hit for hit in scanner.scan_text("history 1", text.format(VALUE.decode())) if hit.name == "token"]
    assert hits[-1].excerpt == excerpt
    assert all(VALUE.decode()[:4] not in hit.excerpt for hit in hits)


def test_another_secret_beside_it_is_not_shown(scanner):
    (hit, *_) = scanner.scan_text("history 1", expand("<alnum:30>=") + VALUE.decode())
    assert hit.excerpt == "****"


def test_build_arguments_in_the_history(scanner):
    line = "RUN |2 PYPI_ACCOUNT=alice PYPI_PASSWORD=xkr8skf2 /bin/sh -c pip install receipts # buildkit"
    (hit,) = scanner.scan_text("history 7 created_by", line)
    assert (hit.kind, hit.name, hit.level, hit.excerpt) == (
        "LW-SECRET-RULE",
        "setting",
        "error",
        "PYPI_PASSWORD=****",
    )


def test_text_that_is_no_unicode(scanner):
    text = b"\xff\xfe PASSWORD=".decode("utf-8", "surrogateescape") + VALUE.decode()
    assert [hit.name for hit in scanner.scan_text("label x", text)] == ["token"]
