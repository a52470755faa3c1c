"""Shell text as commands: words, joins, redirections, nested scripts, places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.lint.shell import read_script
from layerwright.lint.shell.options import parse_options
from layerwright.lint.source import Source
from layerwright.lint.tools import apt_call, docker_call, download_call, git_clone, pip_install


def read(text):
    return read_script(Source(file="x.sh", text=text).whole())


def commands(text):
    return [(one.program, *one.texts) for one in read(text).commands if one.program]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pip install 'a>=1' \"b c\" d\\ e", [("pip", "install", "a>=1", "b c", "d e")]),
        ("sudo -E -u me env A=1 nice -n 5 apt-get update", [("apt-get", "update")]),
        ("/usr/bin/python3 -m pip install x", [("python3", "-m", "pip", "install", "x")]),
        ("a && b \\\n  c || true; d | e &", [("a",), ("b", "c"), ("true",), ("d",), ("e",)]),
        ("if [ -f x ]; then a; else b; fi", [("[", "-f", "x"), ("a",), ("b",)]),
        ('for x in 1 2; do a "$x"; done', [("a", "$x")]),
        ("case $x in a|b) c ;; *) d ;; esac", [("c",), ("d",)]),
        ("f() { a; }; function g { b; }", [("a",), ("b",)]),
        ("(a; b) && { c; }", [("a",), ("b",), ("c",)]),
        ("bash -c 'a && b' x", [("bash", "-c", "a && b", "x"), ("a",), ("b",)]),
        ("x=$(a | b) c", [("c",), ("a",), ("b",)]),
        ("! a && timeout -k 5 10 b", [("a",), ("b",)]),
        ("a && b > f && c", [("a",), ("b",), ("c",)]),
        ("pip install P>=10 q", [("pip", "install", "P", "q")]),
        ("cat > f <<EOF && b\nx\nEOF\nc", [("cat",), ("b",), ("c",)]),
        ("echo 中文 && rm 'ü b'", [("echo", "中文"), ("rm", "ü b")]),
        ("echo $'a\\tb'", [("echo", "a\tb")]),
    ],
)
def test_commands(text, expected):
    assert commands(text) == expected


def test_joins_tests_and_places():
    script = read("a &&\n  b || true\nif c; then d; fi")
    found = {one.program: one for one in script.commands}
    assert (found["a"].after, found["b"].before, found["b"].after) == ("&&", "&&", "||")
    assert found["c"].tested
    assert not found["d"].tested
    place = found["b"].location()
    assert (place.line, place.column, place.text) == (2, 3, "  b || true")
    (chain, *_) = [one for one in script.chains if one.operators]
    assert (chain.operators, chain.terminator, len(chain.elements)) == (("&&", "||"), "\n", 3)


def test_variables_know_how_they_stand():
    (command,) = read('rm -rf $A "$B/x" "${C:?no}" ${D:-/tmp} \'$E\'').commands
    found = [
        (one.name, one.quoted, one.operator, one.default) for word in command.words for one in word.expansions
    ]
    assert found == [
        ("A", False, "", ""),
        ("B", True, "", ""),
        ("C", True, ":?", "no"),
        ("D", False, ":-", "/tmp"),
    ]
    assert [word.literal for word in command.arguments] == [True, False, False, False, False, True]


def test_redirections_and_here_documents():
    (command,) = read("cat > /f 2>&1 <<'EOF'\n$x\nEOF").commands
    kinds = [(one.operator, one.target) for one in command.redirects]
    assert kinds == [(">", "/f"), (">&", "1"), ("<<", "EOF")]
    body = command.redirects[-1]
    assert body.body is not None
    assert (body.body.text, body.expand) == ("$x\n", False)


def test_what_cannot_be_read_is_told():
    assert read("echo 'a").broken >= 0
    assert read("if a; then b").broken >= 0
    assert read("a && b").broken == -1


def test_depth_has_a_limit():
    script = read("(" * 3000 + "a" + ")" * 3000)
    assert script.broken >= 0
    assert len(read(" || ".join(["a"] * 3000)).commands) == 3000


@given(st.text(alphabet="ab $'\"\\`(){}[]<>|&;\n#!=-中\t", max_size=120))
def test_any_text_is_read_and_words_lie_where_they_say(text):
    script = read(text)
    for command in script.commands:
        for word in command.words:
            if command.piece is script.piece:
                assert text[word.start : word.stop] == word.raw


def words(text):
    return read(f"x {text}").commands[0].arguments


def test_options_as_getopt_reads_them():
    parsed = parse_options(words("-abo out --long=v --flag --value w x -- -y"), frozenset({"-o", "--value"}))
    assert [(one.name, one.value) for one in parsed.options] == [
        ("-a", ""), ("-b", ""), ("-o", "out"), ("--long", "v"), ("--flag", ""), ("--value", "w"),
    ]  # fmt: skip
    assert [word.text for word in parsed.operands] == ["x", "-y"]


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("pip install -U --no-cache-dir a b", ["a", "b"]),
        ("python3.11 -m pip install -r r.txt a", ["a"]),
        ("uv pip install --system a", ["a"]),
        ("pip3 --quiet install a", ["a"]),
        ("pip list", None),
        ("python setup.py install", None),
    ],
)
def test_pip(text, requirements):
    found = pip_install(read(text).commands[0])
    assert (None if found is None else [word.text for word in found.requirements]) == requirements


def test_other_tools():
    apt = apt_call(read("apt-get -y -o A=b install --no-install-recommends x y=1").commands[0])
    assert apt is not None
    assert (apt.verb, [word.text for word in apt.packages]) == ("install", ["x", "y=1"])
    clone = git_clone(read("git -c a=b clone --depth 1 -b v1 https://h/o/r.git").commands[0])
    assert clone is not None
    assert (clone.url.text, clone.branch, clone.folder) == ("https://h/o/r.git", "v1", "r")
    download = download_call(read("curl -fsSL https://h/f.tar.gz -o /tmp/f").commands[0])
    assert download is not None
    assert download.output == "/tmp/f"
    assert download_call(read("wget https://h/f.tar.gz?x=1").commands[0]).output == "f.tar.gz"
    run = docker_call(read('docker run --rm "${more[@]}" -v a:/b -it image:1 python -t').commands[0])
    assert run is not None
    assert [word.text for word in run.operands] == ["image:1", "python", "-t"]
    assert run.parsed.has("-t")
    assert docker_call(read("docker buildx build --file f .").commands[0]).verb == "build"


def test_large_characters_do_not_reach_the_scanner():
    """tree-sitter-bash 0.25.1 reads past a table for them: a crash, not an exception."""
    for text in ("\U00065e1e\n&'\U0001ddaf'{\U000a6cabÃ", "{\U000b727f}", "a=\U0010ffff <<\U000b727f\nx"):
        for _ in range(50):
            assert read(text).text == text
