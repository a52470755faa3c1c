"""What ``layerwright run`` adds to the engine's own start, in turn, in one run.

    python benchmarks/starts.py SPEC_FOLDER IMAGE [--repeat 20] [--engines docker,podman,native]

The image has to be built and, for an engine, delivered (a first start does both and is not counted). The peer is the
engine's client with the same options that ``run`` gives it: ``run --rm --init --interactive --user … --mount …``.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("image")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--engines", default="docker,podman,native")
    parser.add_argument("--layerwright", default=str(Path(sys.executable).parent / "layerwright"))
    options = parser.parse_args()
    print(f"{options.repeat} turns; load average {os.getloadavg()[0]:.1f} before.\n")
    print("| engine | plain | layerwright | more |\n| --- | --- | --- | --- |")
    for engine in options.engines.split(","):
        ours = [options.layerwright, "run", "--engine", engine, "--entrypoint", "true", options.image]
        subprocess.run(ours, cwd=options.folder, check=True, capture_output=True)
        plain = [] if engine == "native" else _plain(engine, options)
        taken: dict[str, list[float]] = {"plain": [], "ours": []}
        for _ in range(options.repeat):
            for name, command in (("plain", plain), ("ours", ours)):
                if command:
                    taken[name].append(_timed(command, options.folder))
        medians = {name: statistics.median(values) for name, values in taken.items() if values}
        print(
            f"| {engine} | {_text(taken['plain'])} | {_text(taken['ours'])} | "
            + (f"{medians['ours'] - medians['plain']:.3f} s |" if plain else "- |")
        )
    print(f"\nLoad average {os.getloadavg()[0]:.1f} after.")


def _plain(engine: str, options: argparse.Namespace) -> list[str]:
    folder = options.folder.resolve()
    # what ``run`` itself starts, but for the mounts of generated files
    found = subprocess.run(
        [options.layerwright, "plan", options.image, "--json"],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    import json  # noqa: PLC0415 - only here

    cell = next(one for one in json.loads(found.stdout)["images"] if one["cell"] == options.image)
    mount = f"type=bind,source={folder},target=/code"
    user = f"{os.getuid()}:{os.getgid()}"
    return [
        engine, "run", "--rm", "--init", "--interactive", "--user", user, "--workdir", "/code", "--hostname", "app",
        "--mount", mount, "--entrypoint", "true", cell["reference"],
    ]  # fmt: skip


def _timed(command: list[str], folder: Path) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def _text(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()
