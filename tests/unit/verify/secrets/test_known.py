"""Known values: in every spelling, and what of them can be looked for at all."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest

from layerwright.core.errors import UsageError
from layerwright.verify.secrets import SecretScanner, fault_of_secret
from layerwright.verify.secrets.forms import LONGEST, forms_of
from support.secret_samples import basic, expand

AWKWARD = "p@ss:w0rd/1+2 x'\"é\\z"
PLAIN = "hunter2secretx"


def encodings(value, where="/x", known=None):
    scanner = SecretScanner(known or {"token": PLAIN.encode(), "awkward": AWKWARD.encode()})
    return [(hit.name, hit.encoding) for hit in scanner.scan_file(where, [b"\0 x = " + value + b" and more"])]


def percent(text, keep):
    return "".join(sign if keep(sign) else "".join(f"%{one:02x}" for one in sign.encode()) for sign in text)


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        (AWKWARD, "as it is"),
        (quote(AWKWARD, safe=""), "percent-encoded"),
        (quote(AWKWARD), "percent-encoded"),
        (quote(AWKWARD, safe="!$&'()*+,;=:"), "percent-encoded"),
        (quote_plus(AWKWARD), "percent-encoded"),
        (re.sub("%..", lambda match: match[0].lower(), quote(AWKWARD, safe="")), "percent-encoded"),
        (percent(AWKWARD, lambda _: False), "percent-encoded"),
        (percent(AWKWARD, lambda sign: sign in "@w0rd"), "percent-encoded"),
        (quote(quote(AWKWARD, safe=""), safe=""), "percent-encoded"),
        (json.dumps(AWKWARD), "escaped"),
        (json.dumps(AWKWARD).replace("/", "\\/"), "escaped"),
        (AWKWARD.replace("'", "'\\''").replace("\\z", "\\\\z"), "escaped"),
        (re.sub(r"(\W)", r"\\\1", AWKWARD), "escaped"),
        (AWKWARD.replace('"', "&quot;").replace("'", "&#x27;"), "escaped for HTML"),
        (AWKWARD[:9] + "\\\n    " + AWKWARD[9:], "as it is, over a line break"),
    ],
)
def test_text(written, encoding):
    assert encodings(written.encode()) == [("awkward", encoding)]


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "alice:"])
@pytest.mark.parametrize("value", [PLAIN, AWKWARD, "s3cr3t", "¿qué?ñ>~ÿ"])
@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("strip", [b"", b"="])
def test_base64(before, value, alphabet, strip):
    written = alphabet(before.encode() + value.encode()).rstrip(strip)
    assert encodings(b'"' + written + b'"', known={"it": value.encode()}) == [("it", "base64")]


def test_base64_over_lines_and_twice():
    assert encodings(base64.encodebytes(b"q" * 50 + PLAIN.encode())) == [("token", "base64")]
    inner = json.dumps({"auths": {"r": {"auth": basic("a", PLAIN.encode()).decode()}}})
    assert encodings(base64.b64encode(inner.encode())) == [("token", "base64 of base64")]
    assert encodings(quote(basic("alice", b"\xfb\xff\xfe" + PLAIN.encode())).encode()) == [
        ("token", "base64")
    ]


@pytest.mark.parametrize("written", [PLAIN.encode().hex(), PLAIN.encode().hex().upper()])
def test_hexadecimal(written):
    assert encodings(written.encode()) == [("token", "hexadecimal")]


def test_escapes_of_shells():
    assert encodings(b"".join(b"\\x%02x" % one for one in PLAIN.encode())) == [("token", "escaped")]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_wide(codec):
    assert encodings(PLAIN.encode(codec)) == [("token", "UTF-16")]


def test_latin():
    assert encodings("passé-partout".encode("latin-1"), known={"it": "passé-partout".encode()}) == [
        ("it", "Latin-1")
    ]


def test_a_value_that_is_no_text():
    value = bytes(range(128, 160))
    assert encodings(value, known={"it": value}) == [("it", "as it is")]
    assert encodings(quote(value).encode(), known={"it": value}) == [("it", "percent-encoded")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"abc", "fewer than 6 characters"),
        (b"  abcde\n", "fewer than 6 characters"),
        (b"aaaaaaaabb", "fewer than 4 different"),
        (b"password", "common word"),
        (b"Secret", "common word"),
    ],
)
def test_what_stands_in_every_image_is_refused(value, words):
    assert words in fault_of_secret(value)
    with pytest.raises(UsageError, match=f"the secret 'it' .*{words}") as caught:
        SecretScanner({"it": value})
    assert value.decode().strip() not in caught.value.what.replace("'it'", "") or value == b"Secret"
    assert caught.value.hint


def test_a_good_one_has_no_fault():
    assert fault_of_secret(b"s3cr3t\n") == ""


@pytest.mark.parametrize(
    ("value", "found", "title"),
    [
        (
            b"https://deployer-1:vB7kk0qpw@pypi.corp/simple",
            b"x vB7kk0qpw x",
            "the password of the secret 'it'",
        ),
        (
            b"https://deployer-1:vB7kk%210qpw@pypi.corp/simple",
            b"x vB7kk!0qpw x",
            "the password of the secret 'it'",
        ),
        (
            b"https://deployer-1:vB7kk0qpw@pypi.corp/simple",
            b"x deployer-1 x",
            "the user name of the secret 'it'",
        ),
        (b"https://t0kent0kent0ken@pypi.corp/simple", b"x t0kent0kent0ken x", "the token of the secret 'it'"),
        (b"machine h login a password vB7kk0qpw\n", b"PASS=vB7kk0qpw", "a value in it of the secret 'it'"),
        (b'{"token": "vB7kk0qpw"}', b"PASS=vB7kk0qpw", "a value in it of the secret 'it'"),
        (b"[pypi]\npassword = vB7kk0qpw", b"PASS=vB7kk0qpw", "a value in it of the secret 'it'"),
        (
            b'{"auths":{"r":{"auth":"' + basic("alice", b"vB7kk0qpw") + b'"}}}',
            b"vB7kk0qpw",
            "the password of the secret 'it'",
        ),
    ],
)
def test_what_is_secret_in_a_larger_value(value, found, title):
    (hit,) = SecretScanner({"it": value}).scan_text("env X", found.decode())
    assert hit.title == title
    assert hit.level == ("warning" if "user name" in title else "error")


def test_a_url_that_is_in_the_image_is_found_once():
    scanner = SecretScanner({"index": b"https://deployer-1:vB7kk0qpw@pypi.corp/simple"})
    hits = scanner.scan_file(
        "/etc/pip.conf", [b"index-url = https://deployer-1:vB7kk0qpw@pypi.corp/simple\n"]
    )
    assert [hit.title for hit in hits] == [
        "the user name of the secret 'index'",
        "the password of the secret 'index'",
    ]
    assert hits[1].excerpt == "index-url = https://****"


def test_a_key_is_found_whatever_its_line_ends():
    key = expand("-----BEGIN OPENSSH PRIVATE KEY-----\n<base64:70>\n<base64:70>\n<base64:70>\n-----END")
    scanner = SecretScanner({"key": key.encode()})
    for written in (key, key.replace("\n", "\r\n"), json.dumps(key), base64.b64encode(key.encode()).decode()):
        assert {
            hit.name for hit in scanner.scan_file("/x", [written.encode()]) if hit.kind == "LW-SECRET-KNOWN"
        } == {"key"}


def test_anchors_are_no_longer_than_half():
    for form in forms_of(b"Zx81kfjqP0dkeLw2"):
        assert all(len(anchor) >= 4 for anchor in form.anchors)
    (form, *_) = forms_of(bytes(range(33, 127)) * 2)
    assert len(form.plain) == LONGEST


def test_a_secret_of_plain_words_costs_little_where_the_words_stand():
    scanner = SecretScanner({"it": b"import$config!class9"})
    text = b"import config class import_config classify " * 20_000
    assert scanner.scan_file("/x.py", [text]) == ()
    assert [hit.name for hit in scanner.scan_file("/x.py", [text + b"import%24config%21class9"])] == ["it"]
