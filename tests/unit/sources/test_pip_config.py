"""Row D02: every odd pip.conf of weakness W05 gives the account that pip would use, or is refused and not shown."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.core.errors import LayerwrightError, UsageError
from layerwright.core.source import Location
from layerwright.sources.credentials import index_credentials
from layerwright.sources.pip_config import find_account
from support.change import replace

URL = "https://pypi.example.org/simple"
HERE = Location(file="layerwright.toml", line=7)


def ask(host, url=URL):
    return index_credentials("pip.conf", url, host, index="internal", where=HERE)


def user_file(host, text):
    file = host.home / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


FOUND = {
    "the plain case": "[global]\nindex-url = https://me:pw@pypi.example.org/simple\n",
    "a commented line": "[global]\n# index-url = https://old:no@pypi.example.org/simple\n"
    "index-url = https://me:pw@pypi.example.org/simple\n",
    "a commented line inside a list": "[global]\nextra-index-url =\n    # https://old:no@pypi.example.org/simple\n"
    "    ; https://old:no@pypi.example.org/simple\n    https://me:pw@pypi.example.org/simple\n",
    "an extra index": "[global]\nindex-url = https://pypi.org/simple\n"
    "extra-index-url = https://me:pw@pypi.example.org/simple\n",
    "several lines": "[global]\nextra-index-url =\n    https://a:b@one.org/simple\n    https://me:pw@pypi.example.org/simple\n",
    "several on one line": "[global]\nextra-index-url = https://a:b@one.org/simple https://me:pw@pypi.example.org/simple\n",
    "find-links": "[global]\nfind-links = https://me:pw@pypi.example.org/simple\n",
    "a command's section": "[install]\nindex-url = https://me:pw@pypi.example.org/simple\n",
    "a command over global": "[global]\nindex-url = https://old:no@pypi.example.org/simple\n"
    "[install]\nindex-url = https://me:pw@pypi.example.org/simple\n",
    "a colon instead of the sign": "[global]\nindex-url: https://me:pw@pypi.example.org/simple\n",
    "underscores and upper case": "[global]\nINDEX_URL = https://me:pw@pypi.example.org/simple\n",
    "a slash at the end": "[global]\nindex-url = https://me:pw@pypi.example.org/simple/\n",
    "a host in upper case": "[global]\nindex-url = https://me:pw@PyPI.Example.org/simple\n",
    "the usual port": "[global]\nindex-url = https://me:pw@pypi.example.org:443/simple\n",
    "the same account twice": "[global]\nindex-url = https://me:pw@pypi.example.org/simple\n"
    "extra-index-url = https://me:pw@pypi.example.org/simple\n",
    "another index of the host": "[global]\nindex-url = https://me:pw@pypi.example.org/other\n",
    "a byte order mark": "\ufeff[global]\nindex-url = https://me:pw@pypi.example.org/simple\n",
    "line ends of Windows": "[global]\r\nindex-url = https://me:pw@pypi.example.org/simple\r\n",
    "options without a value": "[global]\nno-cache-dir =\nindex-url = https://me:pw@pypi.example.org/simple\n",
    "addresses with @ in the path": "[global]\nfind-links = https://other.org/@scope/x\n"
    "index-url = https://me:pw@pypi.example.org/simple\n",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_d02_found(host, text):
    user_file(host, text)
    assert ask(host) == ("me", "pw")
    assert host.seen.values()["password of the index internal"] == b"pw"


@pytest.mark.parametrize(
    ("written", "account"),
    [
        ("me:p%40w", ("me", "p@w")),
        ("me:p%3Aw", ("me", "p:w")),
        ("me:p:w:x", ("me", "p:w:x")),
        ("me:p@w@x", ("me", "p@w@x")),
        ("me%40example.org:pw", ("me@example.org", "pw")),
        ("me:100%25", ("me", "100%")),
        ("me:p%2Fw%3Fx%23y", ("me", "p/w?x#y")),
        ("me:%C3%BCber", ("me", "über")),
        ("me:über", ("me", "über")),
        ("me:$HOME!`x`", ("me", "$HOME!`x`")),
        ("me:a+b=c&d", ("me", "a+b=c&d")),
        ("me:50%zz", ("me", "50%zz")),
    ],
)
def test_d02_signs_in_a_password(host, written, account):
    user_file(host, f"[global]\nindex-url = https://{written}@pypi.example.org/simple\n")
    assert ask(host) == account


NOT_FOUND = {
    "no account": ("[global]\nindex-url = https://pypi.example.org/simple\n", "no credentials in pip's"),
    "an account alone": ("[global]\nindex-url = https://me@pypi.example.org/simple\n", "gives no password"),
    "an account and a colon": (
        "[global]\nindex-url = https://me:@pypi.example.org/simple\n",
        "gives no password",
    ),
    "a password alone": ("[global]\nindex-url = https://:hunter2@pypi.example.org/simple\n", "gives no user"),
    "another host": (
        "[global]\nindex-url = https://me:hunter2@other.org/simple\n",
        "no credentials in pip's",
    ),
    "another port": (
        "[global]\nindex-url = https://me:hunter2@pypi.example.org:8443/simple\n",
        "no credentials in",
    ),
    "no encryption": (
        "[global]\nindex-url = http://me:hunter2@pypi.example.org/simple\n",
        "no credentials in",
    ),
    "another section": (
        "[mine]\nindex-url = https://me:hunter2@pypi.example.org/simple\n",
        "no credentials in",
    ),
    "commented": ("[global]\n#index-url = https://me:hunter2@pypi.example.org/simple\n", "no credentials in"),
    "an inline comment": (
        "[global]\nindex-url = # https://me:hunter2@other.org/simple\n",
        "no credentials in",
    ),
    "two accounts": (
        (
            "[global]\nindex-url = https://me:hunter2@pypi.example.org/simple\n"
            "extra-index-url = https://you:hunter3@pypi.example.org/simple\n"
        ),
        "2 different accounts",
    ),
    "two accounts of the host": (
        "[global]\nextra-index-url =\n  https://me:hunter2@pypi.example.org/a\n  https://you:hunter3@pypi.example.org/b\n",
        "2 different accounts",
    ),
    "two commands that differ": (
        (
            "[install]\nindex-url = https://me:hunter2@pypi.example.org/simple\n"
            "[download]\nindex-url = https://me:hunter3@pypi.example.org/simple\n"
        ),
        "2 different accounts",
    ),
    "a bare slash": (
        "[global]\nindex-url = https://me:hunter2/x@pypi.example.org/simple\n",
        "cannot be read",
    ),
    "a bare question mark": (
        "[global]\nindex-url = https://me:hunter2?x@pypi.example.org/s\n",
        "cannot be read",
    ),
    "a bare hash": ("[global]\nindex-url = https://me:hunter2#x@pypi.example.org/simple\n", "cannot be read"),
    "no section": ("index-url = https://me:hunter2@pypi.example.org/simple\n", "line 1: no [section]"),
    "an option twice": (
        "[global]\nindex-url = https://me:hunter2@x.org/s\nindex-url = https://me:hunter3@x.org/s\n",
        "line 3: index-url stands twice in [global]",
    ),
    "a section twice": ("[global]\na = b\n[global]\nc = d\n", "line 3: [global] stands twice"),
    "no file": ("", "no credentials in pip's"),
}


@pytest.mark.parametrize(("text", "says"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_d02_refused_and_never_shown(host, text, says):
    if text:
        user_file(host, text)
    with pytest.raises(UsageError) as raised:
        ask(host)
    told = raised.value.what + raised.value.hint
    assert says in told
    assert "index internal" in told
    assert "hunter" not in told
    assert raised.value.where == HERE


def test_d02_files_in_pips_own_order(host, tmp_path):
    """environment, PIP_CONFIG_FILE, virtual environment, user, legacy user, global (pip's documentation)."""

    def file(path, name):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[global]\nindex-url = https://{name}:pw@pypi.example.org/simple\n")
        return path

    known = replace(host, variables={"XDG_CONFIG_DIRS": str(tmp_path / "xdg")})
    file(tmp_path / "xdg" / "pip" / "pip.conf", "global")
    assert ask(known) == ("global", "pw")
    file(host.home / ".pip" / "pip.conf", "legacy")
    assert ask(known) == ("legacy", "pw")
    file(host.home / ".config" / "pip" / "pip.conf", "user")
    assert ask(known) == ("user", "pw")
    file(tmp_path / "venv" / "pip.conf", "venv")
    known = replace(known, variables={**known.variables, "VIRTUAL_ENV": str(tmp_path / "venv")})
    assert ask(known) == ("venv", "pw")
    named = file(tmp_path / "named.conf", "named")
    known = replace(known, variables={**known.variables, "PIP_CONFIG_FILE": str(named)})
    assert ask(known) == ("named", "pw")
    known = replace(
        known, variables={**known.variables, "PIP_INDEX_URL": "https://var:pw@pypi.example.org/simple"}
    )
    assert ask(known) == ("var", "pw")


def test_d02_no_file_counts_when_pip_is_told_to_read_none(host):
    user_file(host, "[global]\nindex-url = https://me:pw@pypi.example.org/simple\n")
    known = replace(host, variables={"PIP_CONFIG_FILE": "/dev/null"})
    with pytest.raises(UsageError, match="no credentials"):
        ask(known)
    known = replace(
        known, variables={**known.variables, "PIP_EXTRA_INDEX_URL": "https://me:v@pypi.example.org/simple"}
    )
    assert ask(known) == ("me", "v")


def test_d02_ports_tell_servers_apart(host):
    user_file(
        host,
        "[global]\nextra-index-url =\n  https://a:one@10.0.0.1:16000/simple\n  https://b:two@10.0.0.1:28080/simple\n",
    )
    assert ask(host, "https://10.0.0.1:16000/simple") == ("a", "one")
    assert ask(host, "https://10.0.0.1:28080/simple") == ("b", "two")


def test_d02_a_binary_or_endless_file_is_refused(host):
    file = user_file(host, "")
    file.write_bytes(b"[global]\nindex-url = \xff\xfe\n")
    with pytest.raises(UsageError, match="no UTF-8"):
        ask(host)
    file.write_bytes(b"[global]\n" + b"# filler\n" * 200_000)
    with pytest.raises(UsageError, match="larger than"):
        ask(host)


def test_accounts_do_not_show_when_printed(host):
    user_file(host, "[global]\nindex-url = https://me:hunter2@pypi.example.org/simple\n")
    assert "hunter2" not in repr(find_account(URL, host))


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=200) | st.text(alphabet="[global]\n=:/@%#? index-url.https", max_size=200))
def test_any_file_gives_an_account_or_our_own_error(tmp_path_factory, text):
    from pathlib import Path

    from layerwright.host.environment import HostEnvironment

    home = tmp_path_factory.mktemp("home")
    (home / ".pip").mkdir()
    (home / ".pip" / "pip.conf").write_text(text, encoding="utf-8", errors="surrogatepass")
    host = HostEnvironment(
        variables={"XDG_CONFIG_DIRS": str(home)},
        uid=1,
        gid=1,
        groups=(),
        home=home,
        cpu_count=1,
        path="/bin",
        python=Path("/usr/bin/python3"),
    )
    with suppress(LayerwrightError):
        find_account(URL, host)
