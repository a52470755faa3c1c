"""The results as a page: machine and caveats first, then a table for each set."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ours import Ours
from rows import OURS, PEERS, ROWS, Results

_CAVEATS = """\
Read this first.

- One machine, engines and registry on it; see its load. Medians, with the least and the most in brackets; `n=1` where
  a slow peer was measured once. All sides ran in turn, in one run. Absolute seconds will differ on yours.
- Both sides have the wheels at hand, and nothing is downloaded, but for the row that resolves, which asks PyPI on both
  sides. layerwright's store holds wheels as they come from the index; uv's cache, a warm cache mount, holds them
  already unpacked, which is in uv's favour.
- Both sides start from the same built base (Debian bookworm with Python, exported by layerwright), which costs neither.
- `docker build` is BuildKit without network: hashed requirements of the same lock, `--no-deps`. "Process has run" is
  build and `docker run` for Docker, and one `layerwright run` for us: reading the spec, lock, plan, build, start. The
  process imports the pinned package and a source file, and prints the version and a word out of it, which is checked.
- Bytecode: layerwright compiles it by default, pip does, uv does not unless told. Compare equals: `bytecode = false`
  with uv, the default with uv and `--compile-bytecode`. Images without bytecode start slower, every time.
- Registry rows: the base's blobs are there before the clock starts, on both sides. This Docker compresses layers with
  one Go gzip thread; a newer BuildKit may be faster.
- Memory is PSS (shared pages once) summed over layerwright and every process it starts, sampled every 20 ms, and the
  high-water mark of layerwright's own process.
"""


def facts(versions: Mapping[str, str], load: tuple[float, float], minutes: float) -> list[str]:
    """Machine, versions and date."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    machine = f"{os.cpu_count()} x {model}, {memory:.0f} GB, Linux {platform.release()}"
    loads = f"load average {load[0]:.1f} before and {load[1]:.1f} after"
    return [
        f"{time.strftime('%Y-%m-%d')}, {minutes:.0f} minutes. {machine}; {loads}.",
        "",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
    ]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def set_page(ours: Ours, results: Results) -> list[str]:
    """Everything of one set."""
    wheels = ours.wheels(0, "app")
    size = sum(wheel.size for wheel in wheels) / 1e6
    heading = f"## {ours.set.title}: {len(wheels)} wheels, {size:.0f} MB"
    return [heading, "", *_big_table(results), *_small_tables(results)]


def _big_table(results: Results) -> list[str]:
    if not results.seconds:
        return []
    sides = [*OURS.values(), *PEERS.values()]
    uv = PEERS["uv"]
    lines = [
        f"| work | {' | '.join(sides)} | default : docker + uv | no bytecode : docker + uv |",
        "| --- " * (len(sides) + 3) + "|",
    ]
    for row, title in ROWS.items():
        if not any((row, side) in results.seconds for side in sides):
            continue
        cells = [
            results.seconds[row, side].text() if (row, side) in results.seconds else "-" for side in sides
        ]
        ratios = [_ratio(results, (row, side), (row, uv)) for side in OURS.values()]
        lines.append(f"| {title} | {' | '.join([*cells, *ratios])} |")
    lines += ["", "The same against `docker build` + uv alone, whose image has not been started yet:", ""]
    for row, peer_row in (
        ("cold-run", "cold-docker"),
        ("pin-run", "pin-docker"),
        ("source-run", "source-docker"),
    ):
        ratios = [_ratio(results, (row, side), (peer_row, uv)) for side in OURS.values()]
        lines.append(f"- {ROWS[row]}: {ratios[0]} by default, {ratios[1]} without bytecode")
    return [*lines, ""]


def _ratio(results: Results, one: tuple[str, str], other: tuple[str, str]) -> str:
    if one not in results.seconds or other not in results.seconds:
        return "-"
    ratio = results.seconds[one].median / results.seconds[other].median
    return f"{ratio:.2f}" if ratio >= 0.1 else f"1/{1 / ratio:.0f}"


def _small_tables(results: Results) -> list[str]:
    lines: list[str] = []
    if results.grid:
        lines += [
            "| six images, three sets of packages x two programs | in a registry | bytes there |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {side} | {samples.text()} | {size / 1e6:.0f} MB |"
            for side, (samples, size) in results.grid.items()
        ]
        lines += [""]
    if results.starts:
        lines += ["| start | time |", "| --- | --- |"]
        lines += [f"| {title} | {samples.text()} |" for title, samples in results.starts.items()]
        lines += [""]
    if results.rates:
        made, limit = results.rates["layer"], results.rates["limit"]
        lines += [
            f"Wheels of 1 MB and more into layers, one after the other: {made.text('MB/s')} of tar.",
            f"The same bytes read, inflated and hashed twice by a bare loop: {limit.text('MB/s')}.",
            f"Ratio {made.median / limit.median:.2f}.",
            "",
        ]
    for side, memory in results.memory.items():
        lines.append(
            f"Peak memory of a cold build, {side}: {memory.together / 1e6:.0f} MB with all its processes, "
            f"{memory.alone / 1e6:.0f} MB layerwright's own process."
        )
    return [*lines, ""]


def page(heads: Sequence[str], sets: Sequence[list[str]], command: str) -> str:
    """The whole file."""
    lines = ["# Measured", "", _CAVEATS, *heads, "", f"Repeat with `{command}`.", ""]
    for one in sets:
        lines += one
    return "\n".join(lines).rstrip() + "\n"
