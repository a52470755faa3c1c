"""Any text that a spec can hold comes out of a portable Dockerfile as it went in."""

import shlex
from pathlib import Path
from posixpath import normpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.backends.docker.portable import write_portable
from layerwright.core.source import Location
from layerwright.lock.model import LockedBase, LockedSource
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopyTree,
    FetchFile,
    InstallPython,
    InstallWheels,
    RunCommand,
    SetConfig,
    Step,
    WheelInput,
)
from layerwright.spec.model import Index
from support.dockerfile import expanded, instructions, list_of, pairs, pattern_text, without_flags

pytestmark = pytest.mark.property

BASE = LockedBase(kind="docker", source="mine:1", digest="sha256:1", interpreter="/usr/bin/python3.11")
PYTHON = InstallPython(version="3.11", interpreter="/usr/bin/python3.11", full_version="3.11.2")
ROOT = Path("/project")
SIGNS = "\\\"'$`#{}[]()<>&|;*?!~=,:@%ab1 \t-中é\u2028\x85\x0b\x1c\x7f\x01"
line = st.one_of(
    st.text(SIGNS, max_size=8),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\0"), max_size=8),
    st.sampled_from(["\\", "a \\", "# x", "<<EOF", "${X:-y}", "$$", "'", '"', "--flag", "[", '["x"]']),
)
anything = st.one_of(line, st.text(SIGNS + "\n\r", max_size=12))
names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True).filter(lambda name: name != "PATH")
label_names = line.filter(lambda name: name and "=" not in name)
paths = line.map(lambda text: text.replace("/", "")).filter(
    lambda path: normpath(path) == path and path not in {".", ".."} and not path.startswith(("~", "file:"))
)


def read(
    *steps: Step, config: SetConfig | None = None, indexes: tuple[Index, ...] = ()
) -> list[tuple[str, str]]:
    every = (Base(base=BASE, platform="linux/amd64"), *steps, config or SetConfig())
    nodes = tuple(make_node(step, (), "a step") for step in every)
    cell = CellPlan(cell="app", references=("app:1",), platform="linux/amd64", nodes=nodes)
    text = write_portable(cell, indexes={index.name: index for index in indexes}, secrets={}, root=ROOT)
    found = list(instructions(text))
    assert {name for name, _ in found} <= {
        *("FROM", "RUN", "COPY", "ENV", "LABEL", "WORKDIR", "ENTRYPOINT", "CMD", "USER"),
    }
    return found


def of(found: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for one, rest in found if one == name]


@settings(deadline=None, max_examples=60)
@given(
    env=st.dictionaries(names, line, max_size=3),
    labels=st.dictionaries(label_names, line, max_size=3),
    workdir=line.map("/".__add__),
    entrypoint=st.lists(anything, max_size=3),
    command=st.lists(anything, max_size=3),
)
def test_the_config(
    env: dict[str, str], labels: dict[str, str], workdir: str, entrypoint: list[str], command: list[str]
) -> None:
    config = SetConfig(
        env=env, labels=labels, workdir=workdir, entrypoint=tuple(entrypoint), command=tuple(command)
    )
    found = read(config=config)
    assert dict(pair for rest in of(found, "ENV") for pair in pairs(rest, {})) == env
    assert dict(pair for rest in of(found, "LABEL") for pair in pairs(rest, {})) == labels
    assert [expanded(rest, {}) for rest in of(found, "WORKDIR")] == [workdir]
    assert [list_of(rest) for rest in of(found, "ENTRYPOINT")] == ([entrypoint] if entrypoint else [])
    assert [list_of(rest) for rest in of(found, "CMD")] == ([command] if command else [])


@settings(deadline=None, max_examples=60)
@given(first=line, second=st.sampled_from(["", "/base/bin"]))
def test_the_path_goes_before_the_bases(first: str, second: str) -> None:
    found = read(config=SetConfig(env={"PATH": first}))
    ((name, value),) = [pair for rest in of(found, "ENV") for pair in pairs(rest, {"PATH": second})]
    default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert (name, value) == ("PATH", f"{first}:{second or default}")


@settings(deadline=None, max_examples=60)
@given(
    argv=st.lists(anything, min_size=1, max_size=3),
    script=anything,
    env=st.dictionaries(names, anything, max_size=2),
    keep=st.booleans(),
)
def test_commands(argv: list[str], script: str, env: dict[str, str], keep: bool) -> None:
    step = RunCommand(argv=tuple(argv), script=script, env=env, secrets=("token",), workdir="/", keep=keep)
    (rest,) = of(read(step), "RUN")
    assert rest.startswith("--mount=type=secret,id=token,target=/run/secrets/token,mode=0400,required=true ")
    variables = ["/usr/bin/env", *(f"{name}={value}" for name, value in sorted(env.items()))] if env else []
    assert list_of(rest) == [*variables, *argv]


@settings(deadline=None, max_examples=60)
@given(source=paths, to=line.map("/x/".__add__))
def test_copies_and_files(source: str, to: str) -> None:
    target = to.rstrip("/")
    found = read(
        PYTHON,
        CopyTree(source=source, to=to, exclude=(source,), tree_digest=""),
        FetchFile(url=f"models/{source}", sha256="0" * 64, to=to),
    )
    copied = [[expanded(word, {}) for word in list_of(rest)] for rest in of(found, "COPY") if "[" in rest]
    assert [[pattern_text(one), other] for one, other in copied] == [
        [f"models/{source}", "/opt/local/0"],
        [source, target],
        [f"/opt/files/{'0' * 32}-0644", to],
    ]


@settings(deadline=None, max_examples=60)
@given(address=line, version=line)
def test_addresses_reach_programs_as_one_word(address: str, version: str) -> None:
    index = Index(name="own", url=f"https://x/{address}", location=Location(file="", key=""))
    wheel = WheelInput(name="a", version=version, file="a.whl", sha256="0" * 64, index="own")
    project = LockedSource(name="b", version=version, kind="path", source="b")
    found = read(
        PYTHON,
        BuildWheel(source=project),
        InstallWheels(wheels=(wheel,), part="files", python="3.11"),
        FetchFile(url=f"https://x/{address}", sha256="0" * 64, to="/m"),
        indexes=(index,),
    )
    commands = [shlex.split(without_flags(rest), posix=True) for rest in of(found, "RUN")]
    (install,) = [words for words in commands if words[0] == "install-packages" and "--index-url" in words]
    assert install[install.index("--index-url") + 1] == f"https://x/{address}"
    (requirements,) = [words for words in commands if words[0] == "printf" and words[-1].endswith("-0.txt")]
    assert requirements == [
        "printf", "%s\\n", f"a=={version} --hash=sha256:{'0' * 64}", ">", "/opt/requirements-0.txt"
    ]  # fmt: skip
    (fetch,) = [words for words in commands if words[0] == "with-ca"]
    assert fetch[4:] == ["0" * 64, f"/opt/files/{'0' * 32}-0644", "0644"]
    assert fetch[3].isascii()
    assert set(fetch[3]).isdisjoint(' {}"<>\\^`|')
