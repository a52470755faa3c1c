"""Lint as a whole: any text, secrets that stay secret, what a file allows, pages, our own Dockerfiles."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.findings import LEVELS
from layerwright.lint import KINDS, RULES, Source, kind_of_file, lint_source
from support.lint import FOLDER

RENDERED = sorted((FOLDER.parent / "render").glob("*/Dockerfile"))


def lint(text, kind="dockerfile", **options):
    return lint_source(Source(file="f", text=text), kind, **options)


def codes(text, kind="dockerfile", **options):
    return {one.code.removeprefix("LW-LINT-") for one in lint(text, kind, **options)}


PIECES = st.sampled_from(
    (
        "FROM a",
        "FROM ubuntu:24.04 AS b",
        "RUN ",
        "RUN <<E",
        "E",
        "ENV A=$B:",
        "ARG TOKEN=x",
        "COPY . /x",
        "COPY --from=b /x /y",
        "pip install -r ",
        "a>=1",
        "apt-get install",
        "git clone https://h/r",
        "curl http://h/a.tgz | tar x",
        "rm -rf $X/",
        "&& \\",
        "|| true",
        ";",
        "docker run -it ",
        "--gpus",
        "chmod -R 777 /x",
        "case $x in *) y=1;; esac",
        "eval $x",
        'ENTRYPOINT ["a"]',
        'exec gosu $USER_ID:$GROUP_ID "$@"',
        "printf '#!/bin/sh\\nrm $0\\n' > /entry.sh",
        "if [",
        "'",
        '"',
        "$(",
        "中文",
        "Ã©",
        "# layerwright: allow LW-LINT-APT-YES",
        "\\",
        "\n",
        "ADD https://h/x.git#main /y",
        "--index-url http://u:p@h/",
        "```sh",
        "```",
    )
)


@given(
    st.lists(PIECES, max_size=14),
    st.sampled_from((" ", "\n")),
    st.sampled_from(("dockerfile", "shell", "markdown")),
)
def test_any_file_is_judged(pieces, join, kind):
    text = join.join(pieces)
    known = {one.code for one in KINDS}
    for one in lint(text, kind, has_ignore_file=False):
        place = one.where.location
        assert one.code in known
        assert place is not None
        assert 1 <= place.line <= text.count("\n") + 1


@given(st.text(max_size=200), st.sampled_from(("dockerfile", "shell", "markdown")))
def test_any_text_is_judged(text, kind):
    lint(text, kind)


def test_kinds_are_told_whole():
    assert all(count == 1 for count in Counter(kind.code for kind in KINDS).values())
    for kind in KINDS:
        assert kind.code.startswith("LW-LINT-")
        assert all((kind.title, kind.why, kind.evidence, kind.repair))
        assert not kind.title.endswith(".")
        assert kind.why.endswith(".")
    assert len(RULES) > 15


@pytest.mark.parametrize(
    ("text", "kind", "secret"),
    [
        ("FROM a\nENV API_TOKEN=hunter22\nRUN x $API_TOKEN", "dockerfile", "hunter22"),
        ("FROM a\nRUN pip install --index-url https://me:hunter22@h/simple x", "dockerfile", "hunter22"),
        ("docker login -u me -p hunter22 h", "shell", "hunter22"),
        ("curl -u me:hunter22 -o f http://h/f", "shell", "hunter22"),
        ("twine upload --password=hunter22 d/*", "shell", "hunter22"),
        ("PASSWORD=hunter22\ndocker build --build-arg PASSWORD=$PASSWORD .", "shell", "hunter22"),
    ],
)
def test_what_is_secret_is_not_repeated(text, kind, secret):
    found = lint(text, kind)
    assert found
    for one in found:
        assert secret not in repr(one)


def test_a_file_can_allow_a_finding():
    text = "FROM a:1@sha256:" + "0" * 64 + "\nRUN apt-get install x=1 && apt-get update\n"
    assert "APT-YES" in codes(text)
    above = text.replace("RUN", "# layerwright: allow LW-LINT-APT-YES there is a config file\nRUN")
    assert codes(text) - codes(above) == {"APT-YES"}
    script = (
        "docker run --privileged x:1  # layerwright: allow LW-LINT-PRIVILEGED the driver is built there\n"
    )
    assert "PRIVILEGED" not in codes(script, "shell")


def test_pages_are_read_by_their_blocks():
    page = (
        "# Title\n\nRun --privileged never.\n\n```console\n$ docker run \\\n  --privileged x:1\noutput --privileged\n"
        "```\n\n```dockerfile\nRUN chmod 777 /x\n```\n\n```python\nimport os\n```\n\n  ~~~bash\n"
        "  docker run --pid=host x:1\n  ~~~\n"
    )
    found = [(one.where.location.line, one.code.removeprefix("LW-LINT-")) for one in lint(page, "markdown")]
    assert found == [(7, "PRIVILEGED"), (20, "HOST-NAMESPACE")]
    whole = page.replace("RUN chmod", "FROM a:1@sha256:" + "0" * 64 + "\nRUN chmod")
    assert "WORLD-WRITABLE" in codes(whole, "markdown")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("Dockerfile", "", "dockerfile"),
        ("docker/Dockerfile.gpu", "", "dockerfile"),
        ("infer.Dockerfile", "", "dockerfile"),
        ("dockerfile.dev", "", "dockerfile"),
        ("Containerfile", "", "dockerfile"),
        ("build.sh", "", "shell"),
        ("build.bash", "", "shell"),
        ("entry", "#!/usr/bin/env bash\n", "shell"),
        ("recipe", "# c\nARG A\nFROM x\n", "dockerfile"),
        ("README.md", "", "markdown"),
        ("Dockerfile.dockerignore", "", None),
        ("Dockerfile.template", "", None),
        ("Dockerfile.py", "", None),
        ("notes", "hello", None),
    ],
)
def test_what_a_file_is(name, text, kind):
    assert kind_of_file(name, text) == kind


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.parent.name)
def test_our_own_dockerfiles_have_no_error(path):
    found = lint(path.read_text(encoding="utf-8"), has_ignore_file=True)
    assert [one for one in found if one.level == "error"] == []
    assert all(one.level in LEVELS for one in found)


CLEAN = "FROM a:1@sha256:" + "0" * 64 + "\n"


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        # Bases that bring Python themselves, or build it, are not managed by Debian.
        (
            "FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y python3-pip\nRUN pip install a",
            "PEP668",
            True,
        ),
        (
            "FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y python3-pip\nRUN pip install a",
            "PEP668",
            False,
        ),
        ("FROM python:3.12-slim-bookworm\nRUN pip install a", "PEP668", False),
        ("FROM debian:bookworm\nRUN make install\nRUN pip3 install a", "PEP668", False),
        (
            (
                "FROM debian:bookworm\nRUN apt-get update && apt-get install -y python3-venv && python3 -m venv /v\n"
                "ENV PATH=/v/bin:$PATH\nRUN pip install a"
            ),
            "PEP668",
            False,
        ),
        # Only what the final image stands on keeps its layers.
        (CLEAN + "RUN git clone -b v1 https://h/r\nFROM x:1\nCOPY --from=0 /r/a /a", "CLONE-KEPT", False),
        (CLEAN + "RUN git clone -b v1 https://h/r", "CLONE-KEPT", True),
        (CLEAN + "RUN git clone -b v1 https://h/r && make -C r && rm -rf r", "CLONE-KEPT", False),
        (CLEAN + "COPY . /x\nRUN make -C /x && rm -rf /x", "DELETED-LATER", True),
        (CLEAN + "COPY . /x\nRUN rm -rf /y", "DELETED-LATER", False),
        (CLEAN + "RUN cd /t && wget https://h/a.tgz && tar xf a.tgz && rm a.tgz", "ARCHIVE-KEPT", False),
        # The status counts.
        (CLEAN + "RUN a; b", "STATUS-LOST", True),
        (CLEAN + "RUN set -e; a; b", "STATUS-LOST", False),
        (CLEAN + "RUN a && if b; then c; fi", "STATUS-LOST", False),
        (
            CLEAN + 'SHELL ["/bin/bash", "-euo", "pipefail", "-c"]\nRUN a; curl -f h | tar x',
            "PIPE-STATUS",
            False,
        ),
        (CLEAN + "RUN make test || true", "FAILURE-IGNORED", True),
        (CLEAN + "RUN rm -f /x || true", "FAILURE-IGNORED", False),
        (CLEAN + "RUN make || (cat log && exit 1)", "FAILURE-IGNORED", False),
        # Quotes and bounds.
        (CLEAN + "RUN pip install 'a>=1' > log", "REQUIREMENT-REDIRECT", False),
        (CLEAN + "RUN pip install a<2", "REQUIREMENT-REDIRECT", True),
        (CLEAN + "RUN pip install a==1 b @ https://h/b.whl -c c.txt", "PIP-UNPINNED", False),
        # Modes.
        (
            CLEAN + "RUN chmod 1777 /tmp/x && chmod 755 /a && chmod u+w /b && chmod g+rw,o-w /c",
            "WORLD-WRITABLE",
            False,
        ),
        (CLEAN + "RUN chmod a+rwx /x", "WORLD-WRITABLE", True),
        (CLEAN + "RUN mkdir -m 0777 /x", "WORLD-WRITABLE", True),
        # Lists of folders.
        (
            "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nENV LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH",
            "EMPTY-PATH-ENTRY",
            False,
        ),
        ("FROM ubuntu:22.04\nENV LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH", "EMPTY-PATH-ENTRY", True),
        (
            "FROM ubuntu:22.04\nENV LD_LIBRARY_PATH=/x\nENV LD_LIBRARY_PATH=/y:$LD_LIBRARY_PATH",
            "EMPTY-PATH-ENTRY",
            False,
        ),
        ("FROM ubuntu:22.04\nENV PATH=/x:$PATH", "EMPTY-PATH-ENTRY", False),
        # Tags and front ends.
        ("# syntax=docker/dockerfile:1\n" + CLEAN, "SYNTAX-FLOATING", False),
        ("ARG BASE=x\nFROM ${BASE}\n", "IMAGE-TAG", True),
        ("ARG BASE\nFROM ${BASE}\n", "IMAGE-TAG", False),
        ("FROM localhost:5000/x\n", "IMAGE-TAG", True),
        ("FROM scratch\n", "IMAGE-TAG", False),
        # CUDA and ONNX Runtime: both sides known.
        (
            "FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip install onnxruntime-gpu==1.20.1",
            "ORT-CUDA",
            True,
        ),
        (
            "FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip install onnxruntime-gpu==1.16.3",
            "ORT-CUDA",
            False,
        ),
        (
            "FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04\nRUN pip install onnxruntime-gpu==1.20.1",
            "ORT-CUDA",
            False,
        ),
        ("FROM somebody/base:1\nRUN pip install onnxruntime-gpu==1.20.1", "ORT-CUDA", False),
        # Secrets and what only sounds like one.
        (
            CLEAN + "ARG TOKENIZERS_PARALLELISM=false\nENV TOKEN_FILE=/x KEYBOARD=us PASSWORD_LENGTH=8",
            "SECRET-ENV",
            False,
        ),
        (CLEAN + "ENV HF_TOKEN=x", "SECRET-ENV", True),
        (CLEAN + "ENV HF_TOKEN=", "SECRET-ENV", False),
        (CLEAN + "RUN git clone -b v1 https://git:x@h/r && rm -rf r", "SECRET-URL", False),
        # What keeps the host out.
        (CLEAN + "RUN --network=none make", "HOST-NAMESPACE", False),
        (CLEAN + "USER app\nRUN sudo make", "SUDO", False),
        # No question is asked.
        (CLEAN + "RUN apt-get -qq install a", "APT-YES", False),
        (CLEAN + "RUN apt-get --assume-yes install a", "APT-YES", False),
        (
            CLEAN + "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y a",
            "APT-LISTS",
            False,
        ),
        # The start.
        (CLEAN + 'ENTRYPOINT ["tini", "--", "python"]', "PID-ONE", False),
        (CLEAN + 'ENTRYPOINT ["/app"]', "PID-ONE", False),
    ],
)
def test_both_sides_of_a_rule(text, code, found):
    assert (code in codes(text)) == found


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ('set -e\nrm -rf "${X:?}/a"', "RM-VARIABLE", False),
        ('set -e\nX=$(mktemp -d)\nrm -rf "$X"', "RM-VARIABLE", False),
        ('set -e\nrm -rf "$X"', "RM-VARIABLE", False),
        ("set -e\nrm -rf $X", "RM-VARIABLE", True),
        ("set -e\nX=/opt/x\nrm -rf $X", "RM-VARIABLE", True),
        ('set -e\nD=${1:-/tmp/x}\nrm -rf "$D"', "RM-GIVEN-FOLDER", True),
        ("[ -t 0 ] && tty=-it\ndocker run $tty -it x:1", "ALWAYS-INTERACTIVE", False),
        ("docker run --privileged=false x:1", "PRIVILEGED", False),
        ("docker run --gpus all x:1 python --gpus 2", "MISSPELT-OPTION", False),
        ("docker run --gpu all x:1", "MISSPELT-OPTION", True),
        ("docker build --something-new .", "MISSPELT-OPTION", False),
        ("echo 'a \\\n\nb'", "LOST-CONTINUATION", False),
        ("cat <<E\na \\\n\nb\nE", "LOST-CONTINUATION", False),
        ("a \\\n  # b\n  c", "LOST-CONTINUATION", True),
        ("a \\ \n  c", "LOST-CONTINUATION", True),
        ("a -b &&\n  -c", "LOST-CONTINUATION", False),
        ("#!/bin/sh\nmake", "NO-ERREXIT", False),
        ("#!/bin/sh\nmake\nmake install", "NO-ERREXIT", True),
        ("#!/bin/sh\nmake && make install", "NO-ERREXIT", False),
        ("#!/bin/bash -e\nmake\nmake install", "NO-ERREXIT", False),
        ('[ "$a" = b ] && [[ $c == d ]]', "TEST-BLANK", False),
        (
            "x=$(jq -r .a f)\ncase $x in a) y=1 ;; *) exit 1 ;; esac\nnvidia-smi",
            "ARCHITECTURE-GUESSED",
            False,
        ),
        ("sed -i 's/a/b/' ~/.config/pip/pip.conf", "SECRET-CUT", False),
        ("grep -q index-url ~/.pip/pip.conf", "SECRET-CUT", False),
        ('eval set -- "$parsed"', "EVAL", False),
        ('eval "$(ssh-agent)"', "EVAL", False),
    ],
)
def test_both_sides_of_a_rule_for_scripts(text, code, found):
    assert (code in codes(text, "shell")) == found
