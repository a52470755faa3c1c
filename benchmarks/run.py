"""Measures building and running against ``docker build`` with uv and pip, in one run, and writes a table.

    python benchmarks/run.py [--sets ocr,torch] [--rows cold,pin,…] [--repeat N] [--out benchmarks/results/NAME.md]

Needs root, Linux, ``dockerd`` with a client that can build, and ``docker-registry``. It starts two Docker engines of
its own, in network namespaces of their own, and leaves the machine's engine alone. Run it by the Python in whose
environment layerwright is installed the way users install it (not editable). What it downloads and builds beforehand
stays in ``--work`` for the next time.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import uv
from measure import run
from ours import PACKAGE_SETS, Ours
from peer import Peer
from report import facts, page, set_page
from rows import Bench, Results

from engine import Engine

TURN_ROWS = ("cold", "docker", "registry", "pin", "source")
ROW_GROUPS = (*TURN_ROWS, "starts", "throughput", "memory", "grid")
_JOURNAL_PAUSE = 60.0
"""Seconds for which ext4 without a journal avoids the inodes of removed files, and so is slow to make files
(fs/ext4/ialloc.c, ``recently_deleted``)."""


def main() -> None:
    """Prepare, measure, write."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the engines are stopped
    began, load = time.monotonic(), os.getloadavg()[0]
    work: Path = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    variables = _variables()
    program = Path(options.layerwright or Path(sys.executable).parent / "layerwright")
    engines = [Engine(work / f"engine-{number}", variables) for number in (1, 2)]
    try:
        pages, raw = [], {}
        for name in options.sets:
            ours = Ours(work, PACKAGE_SETS[name], program, variables)
            results = _measure(ours, (engines[0], engines[1]), options)
            pages.append(set_page(ours, results))
            raw[name] = {
                f"{row} | {side}": samples.values for (row, side), samples in results.seconds.items()
            }
        versions = _versions(program, engines[0])
    finally:
        for engine in engines:
            engine.stop()
    heads = facts(versions, (load, os.getloadavg()[0]), (time.monotonic() - began) / 60)
    command = f"python benchmarks/run.py {' '.join(sys.argv[1:])}".strip()
    text = page(heads, pages, command)
    if options.out:
        options.out.write_text(text)
        options.out.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")
    print(text)


def _options() -> argparse.Namespace:
    def words(known: tuple[str, ...]) -> object:
        def split(text: str) -> list[str]:
            found = text.split(",")
            if unknown := set(found) - set(known):
                raise argparse.ArgumentTypeError(
                    f"{', '.join(sorted(unknown))}: there are {', '.join(known)}"
                )
            return found

        return split

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=words(tuple(PACKAGE_SETS)), default=["ocr", "torch"])
    parser.add_argument("--rows", type=words(ROW_GROUPS), default=list(ROW_GROUPS), help=",".join(ROW_GROUPS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--repeat-slow", action="store_true", help="repeat pip, bytecode by uv, and pushes, too"
    )
    parser.add_argument("--tidy", action="store_true", help="remove after every side, for small disks")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/layerwright-benchmarks"))
    parser.add_argument("--layerwright", help="its program (default: beside this Python)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("engines can only be started by root")
    missing = [
        name for name in ("dockerd", "docker-registry", "nsenter", "unshare", "ip") if not shutil.which(name)
    ]
    if missing:
        parser.error(f"not found: {', '.join(missing)}")
    return options


def _variables() -> dict[str, str]:
    """The environment, without what would make Python or the tools behave otherwise than by default."""
    dropped = {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "VIRTUAL_ENV",
        "LAYERWRIGHT_STORE",
        "DOCKER_HOST",
    }
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(("PIP_", "UV_"))
    }


def _measure(ours: Ours, engines: tuple[Engine, Engine], options: argparse.Namespace) -> Results:
    name = ours.set.name
    print(f"{name}: preparing", file=sys.stderr, flush=True)
    ours.prepare()
    for engine in engines:
        engine.forget([])
        run(ours.command(ours.template, "build", "base", "--output", "docker", engine=engine))
    pip = ours.work.parent / "pip"
    if not pip.exists():
        target = [
            uv.find_uv_bin(),
            "pip",
            "install",
            "--quiet",
            "--python",
            sys.executable,
            "--target",
            str(pip),
        ]
        subprocess.run([*target, "pip"], check=True)
    peer = Peer(ours, engines[1], Path(uv.find_uv_bin()), pip)
    once = () if options.repeat_slow else ("uv-bytecode", "pip", "push")
    bench = Bench(ours, engines, peer, once=once, tidy=options.tidy)
    rows = [row for row in options.rows if row in TURN_ROWS]
    for turn in range(options.repeat):
        bench.forget()
        removed = time.monotonic()
        # These make no files, so they fill the pause after so many were removed.
        if "throughput" in options.rows:
            bench.throughput()
        if "starts" in options.rows and turn == 0:
            bench.starts()
        if rows:
            if _without_journal(ours.work):
                time.sleep(max(0.0, removed + _JOURNAL_PAUSE - time.monotonic()))
            bench.one_turn(rows)
    if "memory" in options.rows:
        bench.memory()
    if "grid" in options.rows and name == "ocr":
        bench.grid()
    bench.forget()
    return bench.results


def _without_journal(folder: Path) -> bool:
    """Whether files are made on an ext4 without a journal."""
    kind, _, source = _output("findmnt", "-no", "FSTYPE,SOURCE", "-T", str(folder)).partition(" ")
    return kind == "ext4" and "has_journal" not in _output("dumpe2fs", "-h", source.strip())


def _versions(program: Path, engine: Engine) -> dict[str, str]:
    commit = _output(
        "git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"
    )
    own = _output(str(program), "--version").split()[-1]
    return {
        "layerwright": f"{own} ({commit})" if commit else own,
        "Python": sys.version.split()[0],
        "uv": _output(uv.find_uv_bin(), "--version").split()[1],
        "Docker (engine/client)": run(
            engine.docker("version", "--format", "{{.Server.Version}}/{{.Client.Version}}")
        ).strip(),
    }


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
