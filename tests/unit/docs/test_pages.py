"""What can be said of the pages from their text alone."""

import argparse
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from layerwright.cli.commands.musa.parser import ScriptParser
from layerwright.cli.main import make_parser
from layerwright.core.errors import SpecError
from layerwright.spec.parse import parse_spec
from layerwright.spec.schema import json_schema
from support.documents import blocks

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
INDEXED = [page for page in PAGES if page.parent.parent == DOCS and page.parent.name != "decisions"]

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_IMAGE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`(?P<text>[^`\n]+)`(?!`)")
_VARIABLE = re.compile(r"LAYERWRIGHT_[A-Z][A-Z_]*")
# A command line within a page: the program's name, and words up to what ends a command in a shell.
_CALL = re.compile(
    r"(?:^|[\s`\"'(/])layerwright((?: +(?:[^\s`|;&<>()#\"']+|\"[^\"]*\"|'[^']*'))+)", re.MULTILINE
)


def name(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """What a heading is called in addresses, as GitHub does it."""
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = prose(page)
    for pattern in (_LINK, _IMAGE):
        for target in (match["target"] for match in pattern.finditer(text)):
            if re.match(r"[a-z]+:", target):
                assert not re.search(r"#L\d+", target), f"{target} names a line, which moves"
                continue
            path, _, anchor = unquote(target).partition("#")
            place = (page.parent / path).resolve() if path else page
            assert place.exists(), f"{target} leads nowhere"
            assert not re.fullmatch(r"L\d+.*", anchor), f"{target} names a line, which moves"
            if anchor and place.suffix == ".md":
                assert anchor in anchors(place), f"{target}: no such heading"


def test_the_index_has_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / match["target"]).resolve() for match in _LINK.finditer(index)}
    assert {name(page) for page in INDEXED} <= {name(page) for page in linked if page.suffix == ".md"}


def test_decisions_are_numbered_once():
    numbers = [page.name.partition("-")[0] for page in (DOCS / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_specs_can_be_read(page):
    for block in blocks(page):
        if block.language != "toml":
            continue
        try:
            parse_spec(completed(block.text).encode(), file="layerwright.toml", root=ROOT)
        except SpecError as error:
            # The page's files are not here.
            faults = [problem for problem in error.problems if not problem.what.endswith(" does not exist")]
            assert not faults, f"{name(page)}:{block.line}: {faults[0].what}"


def completed(text):
    """A part of a spec with what a whole one needs."""
    tables = tomllib.loads(text)
    images = tables.get("images", {})
    based = "from" in tables.get("defaults", {})
    added = "" if "project" in tables else '[project]\nname = "demo"\n'
    if not images:
        added += '[images.app]\nfrom = "debian:bookworm"\n'
    for image, keys in images.items():
        if "from" not in keys and not based:
            head = f"[images.{image}]\n"
            text = text if head in text else f"{head}{text}"
            text = text.replace(head, f'{head}from = "debian:bookworm"\n', 1)
    return f"{text}\n{added}"


def commands(parser):
    """Every command of a parser by its words, itself with none."""
    if isinstance(parser, ScriptParser):
        parser.complete()
    found = {(): parser}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, child in action.choices.items():
                found |= {(verb, *words): sub for words, sub in commands(child).items()}
    return found


COMMANDS = commands(make_parser())


def calls(page):
    """The command lines that a page names, as words."""
    text = page.read_text(encoding="utf-8")
    spans = [match["text"] for match in _SPAN.finditer(prose(page))]
    typed = [block.text for block in blocks(page) if block.language in {"console", "sh", "yaml"}]
    assert text
    for source in (*spans, *typed):
        for match in _CALL.finditer(source):
            yield match[1].split()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_exist(page):
    for words in calls(page):
        fault = fault_of(words)
        assert not fault, f"{fault} in: layerwright {' '.join(words)}"


def fault_of(words):
    """What of a command line the parser does not know; empty for nothing."""
    parser, chosen = COMMANDS[()], ()
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and len(word) > 1:
            option = word.partition("=")[0].rstrip(".,:")
            known = parser._option_string_actions.get(option)
            if known is None:
                return f"no option {option}"
            skip = known.nargs is None and "=" not in word
        elif (*chosen, word) in COMMANDS:
            chosen = (*chosen, word)
            parser = COMMANDS[chosen]
        elif any(len(known) == len(chosen) + 1 and known[: len(chosen)] == chosen for known in COMMANDS):
            return f"no command {word}"
        elif chosen[:1] in {("run",), ("up",), ("exec",)}:
            return ""  # an image: what follows is its program's
    return ""


def test_the_check_of_commands_can_fail():
    assert fault_of(["biuld"]) == "no command biuld"
    assert fault_of(["build", "--lock"]) == "no option --lock"
    assert fault_of(["store", "clean"]) == "no command clean"
    assert not fault_of(["run", "--engine", "docker", "app", "--anything"])


# What the findings speak of are other programs' options: docker's, pip's, apt's.
@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "findings"], ids=name)
def test_options_named_alone_exist(page):
    """``--locked`` in running text is an option of some command, unless another program is named with it."""
    known = {option for parser in COMMANDS.values() for option in parser._option_string_actions}
    for match in _SPAN.finditer(prose(page)):
        if re.fullmatch(r"--[a-z][a-z-]+(?:[ =][^ ]+)?", match["text"]):
            option = re.split("[ =]", match["text"])[0]
            assert option in known or option in OTHERS, (
                f"no option {option}; what other programs have stands in OTHERS"
            )


OTHERS = frozenset({
    "--cap-add", "--config-file", "--device", "--exclude-newer", "--find-links", "--gpus", "--group-add",
    "--health-cmd", "--prerelease",
    "--privileged", "--python-platform", "--python-version", "--quick", "--read-only", "--runtime", "--secret",
    "--shm-size", "--ssh", "--target", "--tmpfs", "--user", "--userns",
})  # fmt: skip
"""Options of uv, pip, docker and check-device that pages name."""


def test_the_reference_of_the_spec_has_every_key():
    page = (DOCS / "reference" / "spec.md").read_text(encoding="utf-8")
    keys = set()

    def collect(schema):
        if isinstance(schema, dict):
            keys.update(schema.get("properties", {}))
            for value in schema.values():
                collect(value)
        elif isinstance(schema, list):
            for value in schema:
                collect(value)

    collect(json_schema())
    assert len(keys) > 40
    assert {key for key in keys if f"| `{key}` |" not in page} == set()


def test_the_reference_of_the_environment_is_what_the_code_reads():
    read = set()
    for module in (ROOT / "src").rglob("*.py"):
        for match in _VARIABLE.finditer(module.read_text(encoding="utf-8")):
            read.add(match[0].rstrip("_") + ("_NAME" if match[0].endswith("_") else ""))
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    listed = {
        match
        for row in page.splitlines()
        if row.startswith("| ")
        for match in _VARIABLE.findall(row.split("|")[1])
    }
    assert listed == read
