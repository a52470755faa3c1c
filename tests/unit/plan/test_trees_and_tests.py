"""Source trees and tests in a plan and in the Dockerfiles made of it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from layerwright.backends.docker.dockerfile import write_dockerfile
from layerwright.backends.docker.failures import place_of
from layerwright.backends.docker.portable import write_portable
from layerwright.core.errors import UsageError
from layerwright.guest import test_judge as judge_text
from layerwright.lock.model import Deb, Lock, LockedBase, LockedCell, LockedTree
from layerwright.plan.build import make_plan
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import CellPlan, CopySource, InstallApt, RunTests, SetConfig
from layerwright.plan.testing import Verdict, judged_command, read_verdict
from layerwright.spec.model import Spec
from support.spec import spec_of

COMMIT, SUB = "a" * 40, "b" * 40
SPEC = """
[sources.pytorch]
git = "https://example.org/pytorch"
rev = "v2.0.0"
checkout = "here"
[images.dev]
from = "debian:bookworm"
python = "3.11"
sources = [{ source = "pytorch", to = "/home/pytorch" }]
run = [{ script = "make" }]
tests = [
  { script = "pytest unit", log = "/home/ut_output.txt", allow = ["test_x", "a [b]"] },
  { argv = ["ctest"], log = "/home/int.txt", junit = "/home/int.xml", allow = ["test_x"] },
]
smoke = ["true"]
[images.child]
from = "image:dev"
run = [{ script = "strip" }]
"""


def lock_of(spec: Spec, **changes: str) -> Lock:
    tree = LockedTree(name="pytorch", git="https://example.org/pytorch", rev="v2.0.0", commit=COMMIT)
    below = LockedTree(name="pytorch", submodule="third_party/x", git="https://example.org/x", commit=SUB)
    deb = Deb(name="libc6", version="1", architecture="amd64", sha256="c" * 64, size=1, path="pool/x.deb")
    base = LockedBase(
        kind="debian",
        source="bookworm",
        digest="sha256:" + "0" * 64,
        debs=(deb,),
        interpreter="/usr/bin/python3.11",
    )
    return Lock(
        cells={
            name: LockedCell(
                name=name,
                spec_digest="",
                base=LockedBase(kind="image", source=cell.base.source) if cell.base.kind == "image" else base,
                python=cell.python,
                platform="linux/amd64",
                trees=(structs.replace(tree, **changes), below) if cell.sources else (),
            )
            for name, cell in spec.cells.items()
        }
    )


def plan_of(text: str = SPEC, **changes: str) -> dict[str, CellPlan]:
    spec = spec_of(text)
    return {cell.cell: cell for cell in make_plan(spec, lock_of(spec, **changes), {}).cells}


def step_of(cell: CellPlan, kind: type) -> object:
    return next(node.step for node in cell.nodes if isinstance(node.step, kind))


def digest_of(cell: CellPlan, kind: type) -> str:
    return next(node.digest for node in cell.nodes if isinstance(node.step, kind))


def test_sources_stand_below_the_commands_and_tests_above() -> None:
    titles = [node.title for node in plan_of()["dev"].nodes]
    order = [
        "source pytorch v2.0.0 /home/pytorch", "run make", "test pytest unit", "test ctest", "smoke true", "config",
    ]  # fmt: skip
    assert [title for title in titles if title in order] == order


def test_a_source_is_its_commits_wherever_they_come_from() -> None:
    first = digest_of(plan_of()["dev"], CopySource)
    assert digest_of(plan_of(git="https://mirror.example/pytorch", rev="main")["dev"], CopySource) == first
    assert digest_of(plan_of(SPEC.replace('"here"', '"there"'))["dev"], CopySource) == first
    assert digest_of(plan_of(commit="c" * 40)["dev"], CopySource) != first
    assert digest_of(plan_of(SPEC.replace("/home/pytorch", "/opt/p"))["dev"], CopySource) != first
    # with .git come the address and the tag
    kept = SPEC.replace('to = "/home/pytorch"', 'to = "/home/pytorch", git = true')
    with_git = digest_of(plan_of(kept)["dev"], CopySource)
    assert with_git != first
    assert digest_of(plan_of(kept, git="https://mirror.example/pytorch")["dev"], CopySource) != with_git


def test_a_lock_without_the_tree_is_told() -> None:
    spec = spec_of(SPEC)
    lock = lock_of(spec)
    bare = Lock(cells={name: structs.replace(cell, trees=()) for name, cell in lock.cells.items()})
    with pytest.raises(UsageError, match="the lock has no commit of pytorch"):
        make_plan(spec, bare, {})


def test_the_label_names_what_was_allowed_here_and_below() -> None:
    for cell in plan_of().values():
        config = step_of(cell, SetConfig)
        assert isinstance(config, SetConfig)
        assert json.loads(config.labels["dev.layerwright.tests.allowed"]) == ["test_x", "a [b]"]
    plain = step_of(plan_of(SPEC.replace(', allow = ["test_x", "a [b]"]', "").replace(', allow = ["test_x"]', ""))["dev"], SetConfig)  # fmt: skip  # noqa: E501
    assert isinstance(plain, SetConfig)
    assert "dev.layerwright.tests.allowed" not in plain.labels


def test_another_judge_is_another_test() -> None:
    step = step_of(plan_of()["dev"], RunTests)
    assert isinstance(step, RunTests)
    assert make_node(step, (), "").digest != make_node(structs.replace(step, judge="0" * 64), (), "").digest


def test_the_dockerfile_runs_tests_beside_the_image() -> None:
    cell = plan_of()["child"]
    text = write_dockerfile(cell, base="base", environment={"PATH": "/bin"}, built={})
    stages = [line for line in text.text.splitlines() if line.startswith(("FROM", "COPY --from"))]
    assert stages == [
        "FROM base AS before-tests-0",
        "FROM before-tests-0 AS tests-0",
        "FROM before-tests-0 AS before-tests-1",
        'COPY --from=tests-0 ["/home/ut_output.txt", "/home/ut_output.txt"]',
        "FROM before-tests-1 AS tests-1",
        "FROM before-tests-1 AS image",
        'COPY --from=tests-1 ["/home/int.txt", "/home/int.txt"]',
        'COPY --from=tests-1 ["/home/int.xml", "/home/int.xml"]',
    ]
    assert text.judge.startswith("judge/")
    lines = text.text.splitlines()
    assert lines.index("FROM before-tests-1 AS image") < next(
        place for place, line in enumerate(lines) if "strip" in line
    )
    # and a failed one is found in the spec
    failed = next(line for line in lines if "ctest" in line)
    place = place_of(failed, cell.nodes)
    assert place is not None
    assert place.key == "images.dev.tests[1]"


def test_what_run_steps_mount_is_named_by_its_content() -> None:
    """buildah takes a RUN from its cache by its text, whatever its mounts hold."""

    def mounts(sha256: str) -> str:
        deb = Deb(name="ed", version="1", architecture="amd64", sha256=sha256, size=1, path="p.deb")
        cell = plan_of()["dev"]
        node = make_node(InstallApt(debs=(deb,), requested=("ed",)), (), "apt ed")
        changed = structs.replace(cell, nodes=(*cell.nodes[:1], node, *cell.nodes[1:]))
        text = write_dockerfile(changed, base="base", environment={}, built={}).text
        return next(line for line in text.splitlines() if "layerwright-apt" in line)

    assert mounts("1" * 64) != mounts("2" * 64)


def portable(text: str = SPEC, **changes: str) -> str:
    return write_portable(plan_of(text, **changes)["dev"], indexes={}, secrets={}, root=Path("/nowhere"))


def test_a_portable_dockerfile_fetches_commits_in_a_stage_of_their_own() -> None:
    text = portable()
    assert f"fetch /opt/tree https://example.org/pytorch {COMMIT};" in text
    assert f"fetch /opt/tree/third_party/x https://example.org/x {SUB};" in text
    assert "rm -rf" in text
    assert "/opt/tree/third_party/x/.git" in text
    assert 'COPY --from=tree-0 ["/opt/tree", "/home/pytorch"]' in text
    assert "FROM tools AS tree-0" in text
    assert "install --yes --no-install-recommends" in text
    image = text[text.index("FROM system AS before-tests-0") :]
    assert "fetch " not in image
    assert 'COPY --from=tests-1 ["/home/int.xml", "/home/int.xml"]' in image
    assert image.index("AS tests-0") < image.index("AS before-tests-1") < image.index("AS tests-1")
    assert "\nFROM before-tests-1 AS image\n" in image
    assert "layerwright: runs tests, keeps what they print" in text


def test_a_portable_dockerfile_leaves_git_when_asked() -> None:
    text = portable(SPEC.replace('to = "/home/pytorch"', 'to = "/home/pytorch", git = true'))
    assert "+refs/tags/v2.0.0:refs/tags/v2.0.0" in text
    assert "submodule --quiet absorbgitdirs" in text
    assert "/opt/tree/.git -name logs" in text


def test_a_portable_dockerfile_cannot_fetch_from_this_machine() -> None:
    with pytest.raises(UsageError, match="a repository of this machine") as caught:
        portable(git="../served/pytorch.git")
    assert caught.value.where is not None
    assert caught.value.where.key == "images.dev.sources[0]"


def test_ssh_is_forwarded() -> None:
    text = portable(git="git@example.org:team/pytorch")
    assert "--mount=type=ssh" in text
    assert f"fetch /opt/tree ssh://git@example.org/team/pytorch {COMMIT};" in text
    assert "openssh-client" in text


def test_the_judge_gets_its_words_as_they_are() -> None:
    step = step_of(plan_of()["dev"], RunTests)
    assert isinstance(step, RunTests)
    inline = judged_command(step).argv
    words = ("/home/ut_output.txt", "", "2", "test_x", "a [b]", "/bin/sh", "-euc", "pytest unit")
    assert inline[:4] == ("/bin/sh", "-c", judge_text(), "run-tests")
    assert inline[4:] == words
    assert judged_command(step, "/x/judge").argv == ("/bin/sh", "/x/judge", *words)


def test_a_verdict_is_the_last_thing_in_a_log() -> None:
    begins = b"--- layerwright: verdict ---\n"
    log = b"out\n" + begins + b"allowed: faked\n" + begins + b"status: 1\nallowed: a: b\nunused: c\n"
    assert read_verdict("/l", log) == Verdict(log="/l", failed=("a: b",), unused=("c",))
    assert read_verdict("/l", b"no verdict\n") is None
    assert read_verdict("/l", b"") is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    verdict = read_verdict("/l", data)
    assert verdict is None or verdict.log == "/l"
