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
