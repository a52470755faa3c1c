"""Random TOML: positions agree with where the text was put; parser and schema agree; the pattern is sound."""

import json
from copy import deepcopy
from pathlib import Path

import msgspec
import pytest
import tomli
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from layerwright.core.errors import SpecError
from layerwright.spec.diagnose import structural_faults
from layerwright.spec.faults import format_key, hide_credentials, parse_key
from layerwright.spec.keys import SpecFile
from layerwright.spec.parse import parse_spec
from layerwright.spec.parts import split_words
from layerwright.spec.positions import Positions
from layerwright.spec.requirement import _COMMON, requirement_fault

pytestmark = pytest.mark.property

bare = st.text("abcXYZ019-_", min_size=1, max_size=4)
# No surrogates, and no characters that a quoted key cannot hold as they are.
quoted = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85"), max_size=4
)
names = st.one_of(bare, quoted)
scalars = st.one_of(st.integers(-9, 99), st.booleans(), quoted, st.floats(0, 9, allow_nan=False))
spaces = st.sampled_from(["", " ", "  ", "\t"])


class Writer:
    """Writes TOML and keeps, on its own account, where every key was put."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.keys = {}
        self.values = {}

    def __repr__(self):
        return repr(self.text)

    @property
    def place(self):
        line = self.text.rpartition("\n")[2]
        return (self.text.count("\n") + 1, len(line) + 1)

    def space(self):
        self.text += self.draw(spaces)

    def key(self, path):
        name = path[-1]
        self.keys.setdefault(path, self.place)
        self.values.setdefault(path, self.place)
        plain = name.isascii() and name.replace("-", "x").replace("_", "x").isalnum()
        if plain and self.draw(st.booleans()):
            self.text += name
        elif "'" not in name and self.draw(st.booleans()):
            self.text += f"'{name}'"
        else:
            self.text += json.dumps(name, ensure_ascii=self.draw(st.booleans()) and name.isascii())

    def value(self, value, path):
        self.values[path] = self.place
        if isinstance(value, dict):
            self.text += "{"
            for number, (name, item) in enumerate(value.items()):
                self.text += "," if number else ""
                self.space()
                self.pair((*path, name), item)
                self.space()
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for number, item in enumerate(value):
                self.text += "," if number else ""
                self.text += self.draw(st.sampled_from(["", " ", "\n", " # x, [é]\n\t"]))
                self.value(item, (*path, number))
            self.text += self.draw(st.sampled_from(["", "\n"])) + "]"
        elif isinstance(value, str) and "\r" not in value and self.draw(st.booleans()):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            self.text += f'"""\n{escaped}\n"""'
        else:
            self.text += json.dumps(value, ensure_ascii=False)

    def pair(self, path, value):
        self.key(path)
        self.space()
        self.text += "="
        self.space()
        self.value(value, path)


@st.composite
def documents(draw):
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
        max_leaves=5,
    )
    writer = Writer(draw)
    counts = {}

    def pairs(path):
        for name, value in draw(st.dictionaries(names, values, max_size=3)).items():
            writer.text += draw(st.sampled_from(["", "\n", "# c 甲 = 1\n", "  "]))
            writer.pair((*path, name), value)
            writer.text += draw(st.sampled_from(["\n", "  # x\n", "\r\n"]))

    # Names that no key below can take: a table and a key of one name are not TOML.
    for number in range(draw(st.integers(0, 3))):
        top = f"t{number} 甲"
        many = draw(st.booleans())
        for _ in range(draw(st.integers(1, 3)) if many else 1):
            writer.text += "[[" if many else "["
            writer.space()
            writer.key((top,))
            path = (top,)
            if many:
                counts[top] = counts.get(top, -1) + 1
                path = (top, counts[top])
                # The header names the array; its last part stands for the element.
                writer.values[path] = writer.keys[(top,)] if not counts[top] else header_place(writer)
            writer.space()
            writer.text += ("]]" if many else "]") + "\n"
            pairs(path)
            sub = f"s{number}"
            if many and draw(st.booleans()) and (*path, sub) not in writer.keys:
                writer.text += "["
                before = dict(writer.keys), dict(writer.values)
                writer.key((top,))
                writer.keys, writer.values = before
                writer.text += "."
                writer.key((*path, sub))
                writer.text += "]\n"
                pairs((*path, sub))
    return writer


def header_place(writer):
    """Place of the key just written on this line."""
    line, _ = writer.place
    text = writer.text.rpartition("\n")[2]
    return (line, len(text) - len(text.removeprefix("[[").lstrip()) + 1)


@settings(deadline=None, max_examples=200)
@given(documents())
def test_every_position_is_where_the_key_was_put(writer):
    tomli.loads(writer.text)
    positions = Positions(writer.text)
    assert {path: positions.key(path) for path in writer.keys} == writer.keys
    assert {path: positions.value(path) for path in writer.values} == writer.values
    assert set(positions.paths()) == set(writer.keys)


@given(st.lists(st.one_of(names, st.integers(0, 99)), max_size=5).map(tuple))
@example(("a", 'b"c\\', 3, "", "图"))
def test_a_key_is_read_back(path):
    if path and isinstance(path[0], int):
        path = ("top", *path)
    assert parse_key(format_key(path)) == path


@settings(deadline=None)
@given(st.text("abc=[]{}\".'\n# 1é", max_size=40))
def test_any_text_has_positions(text):
    positions = Positions(text)
    for path in positions.paths():
        line, column = positions.key(path)
        assert 1 <= column <= len(positions.line(line)) + 1


GOOD = {
    "project": {"name": "x"},
    "images": {
        "a": {
            "from": "debian",
            "role": "dev",
            "packages": ["numpy", {"path": "."}],
            "run": [{"script": "x", "network": True}],
            "matrix": {"python": ["3.9"]},
            "override": [{"when": {"python": ["3.9"]}, "env": {"A": "1"}}],
            "models": [{"url": "https://x", "sha256": "0" * 64, "to": "/x", "mode": "0644"}],
            "smoke": ["x", ["y"]],
        },
        "b": {"from": "image:a", "run": {"gpus": "all", "mounts": [{"from": "x", "to": "/x"}]}},
    },
    "indexes": {"i": {"url": "https://x", "format": "flat"}},
    "secrets": {"s": {"env": "S"}},
}
ODD = st.one_of(
    st.none(),
    st.integers(),
    st.just("x\n"),
    st.just(""),
    st.just("A-1"),
    st.just([]),
    st.just({}),
    st.just([1]),
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(places(GOOD))[1:]), ODD, st.sampled_from(["replace", "remove", "add"]))
def test_parser_and_schema_refuse_the_same(path, odd, how):
    data = json.loads(json.dumps(GOOD))
    holder = data
    for part in path[:-1]:
        holder = holder[part]
    if how == "remove" and isinstance(holder, dict):
        del holder[path[-1]]
    elif how == "add" and isinstance(holder, dict):
        holder["nwe"] = odd
    else:
        holder[path[-1]] = odd
    try:
        msgspec.convert(data, SpecFile)
    except msgspec.ValidationError:
        refused = True
    else:
        refused = False
    assert bool(structural_faults(data)) == refused


MEANT = st.sampled_from(
    [
        "image:a",
        "image:b",
        "image:a-py39",
        "debian",
        "debian:bookworm",
        "..",
        "https://u:p@x",
        "3.9",
        "3.13",
        "a b",
        "/x",
    ]
)


def inline(value):
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(places(GOOD))[1:]), st.one_of(ODD, MEANT)), min_size=1, max_size=3
    )
)
def test_a_spec_is_read_or_its_faults_are_placed(changes):
    data = json.loads(json.dumps(GOOD))
    for path, odd in changes:
        holder = data
        for part in path[:-1]:
            # An earlier change may have taken away what this path goes through.
            holder = dict(enumerate(holder)) if isinstance(holder, list) else holder
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(path[-1], str) and odd is not None:
            holder[path[-1]] = deepcopy(odd)  # a later change may go into it
    text = "".join(f"{json.dumps(key)} = {inline(value)}\n" for key, value in data.items())
    cells, problems = {}, ()
    try:
        cells = parse_spec(text.encode(), file="layerwright.toml", root=Path("/")).cells
    except SpecError as error:
        problems = error.problems
    assert bool(cells) != bool(problems)
    assert all(problem.where.line and problem.where.text and problem.what for problem in problems)
    assert len(set(problems)) == len(problems)
    assert [problem.where.line for problem in problems] == sorted(problem.where.line for problem in problems)
    seen = set()
    for name, cell in cells.items():
        assert cell.base.kind != "image" or cell.base.source in seen
        seen.add(name)


@settings(deadline=None, max_examples=50)
@given(st.from_regex(_COMMON, fullmatch=True))
def test_the_pattern_takes_only_what_packaging_takes(text):
    Requirement(text)


@given(st.text("ab1.-_[]<>=~!*,; @/:\"'", max_size=20))
def test_a_requirement_is_judged_as_packaging_does(text):
    try:
        good = not Requirement(text).url
    except ValueError:
        good = False
    assert (requirement_fault(text) == "") == good


@given(st.text("ab1 .'\"\\\u3000\t/=", max_size=20))
def test_words_are_split_as_shlex_does(text):
    import shlex

    try:
        expected = tuple(shlex.split(text))
    except ValueError:
        with pytest.raises(ValueError, match="No"):
            split_words(text)
    else:
        assert split_words(text) == expected


@given(st.text(st.characters(exclude_characters="\"'\n@", exclude_categories=("Cs",)), min_size=1))
def test_no_password_shows(password):
    secret = f"<{password}>"
    assert secret not in hide_credentials(f'url = "https://me:{secret}@example.org/simple"')
