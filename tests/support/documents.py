"""The fenced blocks of a Markdown page, and a shell that does what they say.

What a page may rely on:

- A ``console`` block is a talk with a shell. Lines that start with ``$`` and a blank are typed; what follows is what
  is printed, on standard output and error. A command must succeed, unless ``error:`` starts a line that it prints.
- ``…`` stands for any text within a line; a line that is only ``…`` stands for any number of lines.
- What differs from run to run need not be hidden: seconds, sizes, digests of images (``sha256:…``) and of a plan's
  steps, how many Debian packages a base has, how full the store is, whether layers are new. Lines of progress
  (``fetch     tqdm …  1.0 s``) depend on what the store has: they are left out on both sides.
- A ``sh`` block is pasted as it is and must succeed; what it prints does not count.
- A block with ``title="NAME"`` is the file NAME.
- ``<!-- not run: why -->`` on the line before a block keeps it from being run.

The blocks of a page are done in order, by one shell, in one empty folder.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?: +title=\"(?P<title>[^\"]+)\")? *$")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_PROGRESS = re.compile(
    r"^(resolve|fetch|facts|verify|build|base|apt|layer|bytecode|run|copy|smoke|image|load|push) {2,}"
    r".*( …| failed|, cached|[0-9.]+ s(, .*)?)$"
)
_VARYING = (
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:#"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? (s|B|kB|MB|GB)\b"), r"# \2"),
    (re.compile(r"^  [0-9a-f]{12}  "), "  #  "),
    (re.compile(r"^(  (?:wheels|debs|files|blobs|sdists|trees|records|partial|total) ).*"), r"\1"),
    (re.compile(r"\b[0-9]+ (Debian packages|packages\))"), r"# \1"),
    (re.compile(r"\b([0-9]+ of [0-9]+ layers new|unchanged)\b"), "#"),
)
_END = "\x1e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block; ``line`` is that of its first line of text, ``skipped`` why it is not run."""

    language: str
    title: str
    text: str
    line: int
    skipped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A command and the lines that it is said to print."""

    command: str
    printed: tuple[str, ...]
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The page's fenced blocks, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    position = 0
    while position < len(lines):
        match = _FENCE.match(lines[position])
        if not match:
            position += 1
            continue
        note = _NOT_RUN.fullmatch(lines[position - 1].strip()) if position else None
        start = position + 1
        end = next(at for at in range(start, len(lines)) if lines[at].strip() == "```")
        indent = len(match["indent"])
        yield Block(
            language=match["language"],
            title=match["title"] or "",
            text="".join(f"{line[indent:]}\n" for line in lines[start:end]),
            line=start + 1,
            skipped=note[1] if note else "",
        )
        position = end + 1


def exchanges(block: Block) -> list[Exchange]:
    """The commands of a ``console`` block."""
    found: list[Exchange] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append(Exchange(command=line[2:], printed=(), line=number))
        else:
            assert found, f"line {number}: output without a command"
            last = found.pop()
            found.append(Exchange(command=last.command, printed=(*last.printed, line), line=last.line))
    return found


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a command printed what the page shows."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n"
        for line in _settled(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _settled(printed.splitlines()))) is not None


def _settled(lines: "tuple[str, ...] | list[str]") -> list[str]:
    kept = []
    for line in lines:
        if _PROGRESS.match(line):
            continue
        settled = line
        for pattern, replacement in _VARYING:
            settled = pattern.sub(replacement, settled)
        kept.append(settled.rstrip())
    return kept


class Shell:
    """One ``sh`` that keeps its folder and variables from command to command."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["sh"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def __call__(self, command: str) -> tuple[int, str]:
        """The command's status and what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{\n{command}\n}} </dev/null\nprintf '{_END}%s\\n' \"$?\"\n")
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            before, end, status = line.partition(_END)
            printed.append(before)
            if end:
                return int(status), "".join(printed)
        raise AssertionError(f"the shell ended at {command!r}: {''.join(printed)}")
