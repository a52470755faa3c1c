import pytest

from layerwright.core.errors import UsageError
from layerwright.core.source import Location
from layerwright.sources.credentials import address_credentials, index_credentials
from support.change import replace

URL = "https://pypi.example.org/simple"
HERE = Location(file="layerwright.toml", line=7)


def ask(source, host, url=URL):
    return index_credentials(source, url, host, index="internal", where=HERE)


def test_a_variable_gives_user_and_password(host):
    assert ask("env:TOKEN", replace(host, variables={"TOKEN": "me:p:w"})) == ("me", "p:w")


@pytest.mark.parametrize(
    ("value", "says"),
    [(None, "no credentials"), ("me", "no password"), (":pw", "no user"), ("me:", "no password")],
)
def test_half_a_pair_or_none_is_an_error_that_shows_no_secret(host, value, says):
    known = replace(host, variables={"TOKEN": value} if value else {})
    with pytest.raises(UsageError) as raised:
        ask("env:TOKEN", known)
    assert says in raised.value.what
    assert "TOKEN" in raised.value.what
    assert "pw" not in raised.value.what.replace("password", "")
    assert raised.value.where == HERE


def test_netrc_by_host_and_default(host):
    (host.home / ".netrc").write_text(
        "machine pypi.example.org login me password pw\ndefault login any password x\n"
    )
    assert ask("netrc", host) == ("me", "pw")
    assert ask("netrc", host, "https://other.org/simple") == ("any", "x")


def test_netrc_serves_addresses_of_exactly_its_hosts(host):
    (host.home / ".netrc").write_text(
        "machine pypi.example.org login me password pw\ndefault login any password x\n"
    )
    assert address_credentials(URL, host) == ("me", "pw")
    assert ask("", host) == ("me", "pw")
    assert address_credentials("https://other.org/x", host) is None
    assert address_credentials("file:///x", host) is None


def test_another_netrc_may_be_named(host, tmp_path):
    file = tmp_path / "my-netrc"
    file.write_text("machine pypi.example.org login me password pw\n")
    assert ask("netrc", replace(host, variables={"NETRC": str(file)})) == ("me", "pw")


def test_a_netrc_without_the_host_or_password_is_told(host):
    with pytest.raises(UsageError, match="no credentials in"):
        ask("netrc", host)
    (host.home / ".netrc").write_text("machine pypi.example.org login me\n")
    with pytest.raises(UsageError, match="no password"):
        ask("netrc", host)


def test_a_damaged_netrc_is_told_without_its_contents(host):
    (host.home / ".netrc").write_text("machine pypi.example.org login me password pw\nhunter2secret\n")
    with pytest.raises(UsageError) as raised:
        ask("netrc", host)
    assert "cannot be read" in raised.value.what
    assert "hunter2" not in raised.value.what


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf"])
def test_pip_conf(host, place):
    file = host.home / place
    file.parent.mkdir(parents=True)
    file.write_text(
        "[global]\nindex-url = https://a:b@elsewhere.org/simple\n"
        "extra-index-url =\n    https://u:v@other.org/simple\n    https://me:p%40w@pypi.example.org/simple/\n"
    )
    assert ask("pip.conf", host) == ("me", "p@w")


def test_pips_variables_come_first_and_one_host_serves_its_other_indexes(host):
    file = host.home / ".pip" / "pip.conf"
    file.parent.mkdir()
    file.write_text("[global]\nindex-url = https://me:old@pypi.example.org/simple\n")
    known = replace(host, variables={"PIP_INDEX_URL": "https://me:new@pypi.example.org/simple"})
    assert ask("pip.conf", known) == ("me", "new")
    assert ask("pip.conf", host, "https://pypi.example.org/other/simple") == ("me", "old")
    with pytest.raises(UsageError, match="no credentials in pip's configuration"):
        ask("pip.conf", host, "https://unknown.org/simple")


def keyring_program(tmp_path, host, text):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "keyring"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return replace(host, path=f"{folder}:/usr/bin:/bin")


def test_keyring_is_asked_for_the_address_then_the_host(host, tmp_path):
    known = keyring_program(
        tmp_path,
        host,
        'for last in "$@"; do :; done\n'
        'case "$*" in *"get pypi.example.org"*) echo \'{"username": "me", "password": "pw"}\';; *) exit 1;; esac',
    )
    assert ask("keyring", known) == ("me", "pw")


def test_a_keyring_without_an_entry_is_told(host, tmp_path):
    with pytest.raises(UsageError, match="no credentials in the keyring"):
        ask("keyring", keyring_program(tmp_path, host, "exit 1"))


def test_a_missing_keyring_is_told(host, tmp_path):
    with pytest.raises(UsageError, match="`keyring` is not installed"):
        ask("keyring", replace(host, path=str(tmp_path)))


def test_a_file_gives_user_and_password(host, tmp_path):
    for text in ("me:p:w", "me:p:w\n", "\ufeffme:p:w\r\n"):
        (tmp_path / "account").write_text(text, encoding="utf-8")
        found = index_credentials("file:account", URL, host, index="internal", where=HERE, root=tmp_path)
        assert found == ("me", "p:w")
    (host.home / "mine").write_text("me:home")
    assert index_credentials("file:~/mine", URL, host, index="internal", root=tmp_path) == ("me", "home")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", "no credentials in"),
        (b"me", "gives no password"),
        (b":hunter2", "gives no user"),
        (b"me:hunter2\nyou:hunter3\n", "several lines"),
        (b"\xff\xfe", "no UTF-8"),
        (b"me:" + b"hunter2" * 20_000, "too large"),
    ],
)
def test_a_file_that_gives_no_pair_is_told_without_its_contents(host, tmp_path, data, says):
    if data is not None:
        (tmp_path / "account").write_bytes(data)
    with pytest.raises(UsageError) as raised:
        index_credentials("file:account", URL, host, index="internal", where=HERE, root=tmp_path)
    assert says in raised.value.what
    assert "hunter" not in raised.value.what + raised.value.hint
    assert raised.value.where == HERE


def test_no_password_goes_over_a_line_that_others_can_read(host):
    (host.home / ".netrc").write_text("machine pypi.example.org login me password pw\n")
    assert address_credentials("http://pypi.example.org/m.onnx", host) is None
    assert address_credentials("https://pypi.example.org/m.onnx", host) == ("me", "pw")


@pytest.mark.parametrize("source", ["env:TOKEN", "netrc", "pip.conf", "file:account"])
def test_what_was_read_is_noted_for_masks_and_for_the_leak_scan(host, tmp_path, source):
    (tmp_path / "account").write_text("me:hunter2")
    (host.home / ".netrc").write_text("machine pypi.example.org login me password hunter2\n")
    variables = {"TOKEN": "me:hunter2", "PIP_INDEX_URL": "https://me:hunter2@pypi.example.org/simple"}
    known = replace(host, variables=variables)
    index_credentials(source, URL, known, index="internal", root=tmp_path)
    assert known.seen.values() == {"password of the index internal": b"hunter2"}
    assert known.seen.stands_in("x hunter2 y")
    assert "hunter2" not in repr(known) + repr(known.seen)


def test_an_old_keyring_is_told(host, tmp_path):
    known = keyring_program(
        tmp_path, host, 'echo "keyring: error: unrecognized arguments: --mode" >&2; exit 2'
    )
    with pytest.raises(UsageError, match="too old"):
        ask("keyring", known)


def test_keyring_may_be_asked_for_one_users_password(host, tmp_path):
    known = keyring_program(tmp_path, host, '[ "$*" = "get pypi.example.org ann" ] && echo "p:a s" || exit 1')
    assert ask("keyring:ann", known) == ("ann", "p:a s")
    with pytest.raises(UsageError, match="no credentials in the keyring for bob"):
        ask("keyring:bob", known)
