"""Source trees and tests of a build, as the spec says them."""

import pytest

from layerwright.spec.fingerprint import cell_resolution_digest
from support.spec import problem_of, problems_of, spec_of

TREE = """
[sources.pytorch]
git = "https://github.com/pytorch/pytorch"
rev = "v2.0.0"
checkout = "pytorch"
"""
IMAGE = """
[images.dev]
from = "debian:bookworm"
"""


def test_what_is_said_arrives() -> None:
    spec = spec_of(
        TREE + IMAGE + 'sources = [{ source = "pytorch", to = "/home/pytorch", git = true }]\n'
        'tests = [{ script = "pytest t", log = "/home/ut_output.txt", junit = "/r.xml", allow = ["test_x"],'
        ' env = { A = "1" } }]\n[images.child]\nfrom = "image:dev"\n'
    )
    cell = spec.cells["dev"]
    (item,) = cell.sources
    assert (item.source.rev, item.source.checkout, item.source.submodules) == ("v2.0.0", "pytorch", True)
    assert (item.to, item.git) == ("/home/pytorch", True)
    (test,) = cell.tests
    assert test.argv == ("/bin/sh", "-euc", "pytest t")
    assert (test.log, test.junit, test.allow) == ("/home/ut_output.txt", "/r.xml", ("test_x",))
    assert dict(test.env) == {"A": "1"}
    # A child stands on its parent's layers.
    assert spec.cells["child"].sources == ()
    assert spec.cells["child"].tests == ()
    assert spec.sources["pytorch"] is item.source


@pytest.mark.parametrize(
    ("text", "what", "key"),
    [
        (
            'sources = [{ source = "pytroch", to = "/a" }]',
            "there is no source tree 'pytroch'",
            "images.dev.sources[0].source",
        ),
        (
            'sources = [{ source = "pytorch", to = "/a/../b" }]',
            "'/a/../b' has '..' in it",
            "images.dev.sources[0].to",
        ),
        ('tests = [{ log = "/l" }]', "a command has exactly one of script and argv", "images.dev.tests[0]"),
        (
            'tests = [{ script = "x", argv = ["x"], log = "/l" }]',
            "a command has exactly one of script and argv, not both",
            "images.dev.tests[0]",
        ),
        ('tests = [{ script = "x", log = "/l/" }]', "'/l/' is not a file's path", "images.dev.tests[0].log"),
        (
            'tests = [{ script = "x", log = "/l", junit = "/l" }]',
            "log and junit are one file",
            "images.dev.tests[0].junit",
        ),
        (
            'tests = [{ script = "x", log = "/l", secrets = ["no"] }]',
            "there is no secret 'no'",
            "images.dev.tests[0].secrets[0]",
        ),
        ('tests = [{ script = "x" }]', "missing key 'log'", "images.dev.tests[0]"),
        (
            'sources = [{ source = "pytorch", to = "/a" }, { source = "pytorch", to = "/a/", git = true }]',
            "'dev': two source trees go to /a",
            "images.dev.sources[1].to",
        ),
        (
            'tests = [{ script = "x", log = "/l" }, { script = "y", log = "/k", junit = "/l" }]',
            "'dev': two tests write to /l",
            "images.dev.tests[1].junit",
        ),
        (
            'tests = [{ script = "x", log = "/l", allow = ["a\\nb"] }]',
            "'a\\nb' is no test's name",
            "images.dev.tests[0].allow[0]",
        ),
    ],
)
def test_what_an_image_cannot_say(text: str, what: str, key: str) -> None:
    problem = problem_of(TREE + IMAGE + text + "\n")
    assert problem.what.startswith(what)
    assert problem.where.key == key


@pytest.mark.parametrize(
    ("table", "what", "key"),
    [
        ('git = "x"\nrev = "21080ff"', "'21080ff' looks like part of a commit", "rev"),
        (f'git = "x"\nrev = "{"A1" * 20}"', "looks like part of a commit", "rev"),
        ('git = "x"\nrev = "a b"', "'a b' is no tag, branch or commit", "rev"),
        ('git = "x"\nrev = "v1~2"', "'v1~2' is no tag, branch or commit", "rev"),
        ('git = "x"\nrev = "-x"', "'-x' is no tag, branch or commit", "rev"),
        ('git = "-x"\nrev = "v1"', "'-x' is not an address", "git"),
        ('git = "https://a:b@example.org/x"\nrev = "v1"', "an address must not hold credentials", "git"),
        ('git = "http://example.org/x"\nrev = "v1"', "is fetched without encryption", "git"),
        ('git = "git://example.org/x"\nrev = "v1"', "is fetched without encryption", "git"),
    ],
)
def test_what_a_source_tree_cannot_be(table: str, what: str, key: str) -> None:
    problem = problem_of(f"[sources.x]\n{table}\n{IMAGE}")
    assert what in problem.what
    assert problem.where.key == f"sources.x.{key}"


@pytest.mark.parametrize(
    ("git", "rev"),
    [
        ("http://127.0.0.1:8000/x", "20231118"),  # a date is no commit
        ("git@github.com:pytorch/pytorch", "release/2.0"),
        ("ssh://git@example.org/x", "refs/tags/v1"),
        ("../served/x.git", "a" * 40),
        ("https://example.org/x", "deadbeef" * 5),
        ("https://example.org/x", "dev1.5.1"),
    ],
)
def test_what_a_source_tree_can_be(git: str, rev: str) -> None:
    spec = spec_of(f'[sources.x]\ngit = "{git}"\nrev = "{rev}"\n{IMAGE}')
    assert (spec.sources["x"].git, spec.sources["x"].rev) == (git, rev)


def test_faults_of_trees_are_told_beside_structural_ones() -> None:
    told = problems_of(f'[sources.x]\ngit = "x"\nrev = "a b"\n{IMAGE}tests = [{{ script = 1 }}]\n')
    assert any("no tag, branch or commit" in problem.what for problem in told)
    assert any("tests" in problem.where.key for problem in told)


def test_the_lock_depends_on_the_revision_and_not_on_the_checkout() -> None:
    uses = 'sources = [{ source = "pytorch", to = "/home/pytorch" }]\n'

    def digest(text: str) -> str:
        spec = spec_of(text)
        return cell_resolution_digest(spec.cells["dev"], spec)

    first = digest(TREE + IMAGE + uses)
    assert digest(TREE.replace("v2.0.0", "v2.0.1") + IMAGE + uses) != first
    assert digest(TREE + "submodules = false\n" + IMAGE + uses) != first
    assert digest(TREE.replace('checkout = "pytorch"', 'checkout = "../other"') + IMAGE + uses) == first
    assert digest(TREE + IMAGE + uses.replace("/home/pytorch", "/opt/pytorch")) == first
    # and what has no source tree is locked as before there were any
    assert digest(TREE + IMAGE) == digest(IMAGE)


@pytest.mark.parametrize(
    ("base", "refused"),
    [
        ("centos:7", True),
        ("quay.io/centos/centos:stream9", True),
        ("mirror.example:5000/library/rockylinux:9", True),
        ("alpine:3.20", True),
        ("ubuntu:18.04", True),
        ("ubuntu:20.04", False),
        ("mirror.example:5000/library/ubuntu:22.04", False),
        ("ubuntu:jammy", False),  # a name says no release; check tells
        ("debian:bookworm", False),
        ("registry.mthreads.com/mcconline/musa-pytorch-dev-public:latest", False),
        ("registry.example/team/centos-like:1", False),
        ("oci:layout", False),
    ],
)
def test_f10_systems_that_are_none_of_moore_threads(base: str, refused: bool) -> None:
    text = f'[images.dev]\nfrom = "{base}"\naccelerator = "mthreads"\n'
    if not refused:
        assert spec_of(text).cells["dev"].accelerator == "mthreads"
        return
    problem = problem_of(text)
    assert problem.what == (
        f"'dev' is for accelerator 'mthreads', and {base} is no system that Moore Threads' software is for"
    )
    assert problem.where.key == "images.dev.from"
    assert problem.hint.startswith("supported are ubuntu:20.04, ubuntu:22.04")
    assert spec_of(text.replace("mthreads", "cpu")).cells["dev"]  # others may have it


def test_f10_a_parents_system_counts() -> None:
    text = '[images.low]\nfrom = "centos:7"\n[images.dev]\nfrom = "image:low"\naccelerator = "mthreads"\n'
    assert "centos:7 is no system" in problem_of(text).what
