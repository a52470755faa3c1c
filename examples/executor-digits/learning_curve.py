"""The learning curve of each mining algorithm: how fast a detector gets better with what it asks to be labelled.

    layerwright run digits python learning_curve.py     # about 25 minutes on one core; results in out/curve

Each run begins with the same drawn scenes, trains from nothing, ranks the pool, has the first ones labelled (the
generator knows the truth), and so on; every training has the same number of steps. The pool is skewed on
purpose, as pools from cameras are: most scenes are empty or show one easy digit of the common four, few show what
the test asks for. Where every scene of a pool teaches as much as any other, mining has nothing to gain.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import torch
from digits import scenes
from digits.detector import DigitDetector
from digits.training import Example, measure, train
from ymir_exc import mining

POOL = (0.35, 0.40, 0.25)
"""Shares of empty, easy and hard scenes among the candidates."""

EMPTY_LAST = "cald, empty last"
"""CALD with images without detections at the end; the paper has them at the front."""

CURVES = ("random", "entropy", "cald", EMPTY_LAST, "least-confidence", "margin", "aldd", "core-set")

TEST = (0.10, 0.30, 0.60)
"""The same of the test, whose digits are in no scene of the pool."""


def examples_of(made: list[scenes.Scene]) -> list[Example]:
    """Scenes with their labels."""
    return [Example(scene.picture, scene.boxes, scene.classes) for scene in made]


def fitted(examples: list[Example], seed: int, steps: int) -> DigitDetector:
    """A detector trained from nothing on some examples."""
    torch.manual_seed(seed)
    detector = DigitDetector.new(scenes.NAMES, scenes.SIDE)
    for _ in train(detector, examples, epochs=1, steps=steps, seed=seed):
        pass
    return detector


def run(
    algorithm: str,
    seed: int,
    pool: list[scenes.Scene],
    test: list[Example],
    options: argparse.Namespace,
    first: DigitDetector,
) -> list[dict[str, float]]:
    """One curve: after each round, what is labelled and how good the detector is."""
    rng = np.random.default_rng(seed)
    labelled = [int(each) for each in rng.permutation(len(pool))[: options.first]]
    examples = examples_of(pool)
    rows = []
    detector = first
    for number in range(options.rounds + 1):
        if number:
            candidates = [str(index) for index in range(len(pool)) if index not in set(labelled)]
            ranking = mining.mine(
                candidates,
                lambda name: pool[int(name)].picture,
                detector,
                algorithm.partition(",")[0],
                mining.Options(
                    seed=1000 * seed + number,
                    changes=("cut-out", "rotate", "resize"),  # a mirrored digit is another sign
                    without="last" if algorithm == EMPTY_LAST else "first",
                    limit=options.add,
                ),
                batch=64,
            )
            labelled += [int(name) for name, _ in ranking[: options.add]]
            detector = fitted([examples[index] for index in labelled], 100 * seed + number, options.steps)
        rows.append(
            {
                "labelled": len(labelled),
                "digits": int(sum(len(pool[index].classes) for index in labelled)),
                "hard": int(sum(pool[index].kind == "hard" for index in labelled)),
                **measure(detector, test),
            }
        )
    return rows


def table(results: dict[str, dict[str, list[dict[str, float]]]], key: str, scale: float = 1.0) -> str:
    """Mean and standard deviation over seeds, a row per algorithm, a column per round, in Markdown."""
    any_runs = next(iter(results.values()))
    heads = [str(row["labelled"]) for row in next(iter(any_runs.values()))]
    lines = ["| images labelled | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for algorithm, runs in results.items():
        values = np.array([[row[key] * scale for row in rows] for rows in runs.values()])
        spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        cells = [f"{mean:.1f} ± {each:.1f}" for mean, each in zip(values.mean(0), spread, strict=True)]
        lines.append(f"| {algorithm} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, dict[str, list[dict[str, float]]]], path: Path) -> None:
    """The curves of average precision, with one standard deviation for the first three."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("matplotlib is not installed: no picture is drawn", flush=True)
        return
    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "learning-curve"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    for number, (algorithm, runs) in enumerate(results.items()):
        values = np.array([[100 * row["ap50"] for row in rows] for rows in runs.values()])
        x = [row["labelled"] for row in next(iter(runs.values()))]
        style = "k--" if algorithm == "random" else f"C{number}-"
        (line,) = axes.plot(x, values.mean(0), style, marker="o", markersize=3, label=algorithm)
        if algorithm in ("random", "entropy", EMPTY_LAST) and len(values) > 1:
            spread = values.std(0, ddof=1)
            axes.fill_between(
                x, values.mean(0) - spread, values.mean(0) + spread, color=line.get_color(), alpha=0.12
            )
    axes.set_xlabel("scenes labelled")
    axes.set_ylabel("mAP at IoU 0.5 on the test, %")
    axes.set_title(f"Mean of {len(next(iter(results.values())))} seeds; bands: one standard deviation")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def write_results(results: dict[str, dict[str, list[dict[str, float]]]], folder: Path) -> None:
    """The tables and the picture."""
    keys = (("ap50", 100), ("ap", 100), ("hard", 1), ("digits", 1))
    text = "".join(f"{key}\n\n{table(results, key, scale)}\n" for key, scale in keys)
    (folder / "learning-curve.md").write_text(text, encoding="utf-8")
    draw(results, folder / "learning-curve.svg")


def main() -> None:
    """Run all, keep what is done after each curve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/curve"))
    parser.add_argument("--algorithms", nargs="+", default=list(CURVES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", type=int, default=20, help="scenes labelled at the beginning")
    parser.add_argument("--add", type=int, default=20, help="scenes labelled in each round")
    parser.add_argument("--pool", type=int, default=800)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--steps", type=int, default=150, help="of each training, with 16 scenes each")
    parser.add_argument(
        "--again", type=Path, help="measure nothing: write tables and picture of this JSON file"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.again:
        write_results(json.loads(options.again.read_text(encoding="utf-8"))["results"], options.out)
        return
    digits = scenes.Digits()
    test = examples_of(scenes.many(digits, options.test, TEST, seed=99_999, held_out=True))
    results: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in options.algorithms}
    began = time.monotonic()
    for seed in range(options.seeds):
        pool = scenes.many(digits, options.pool, POOL, seed=seed)
        examples = examples_of(pool)
        start = np.random.default_rng(seed).permutation(len(pool))[: options.first]
        first = fitted([examples[index] for index in start], 100 * seed, options.steps)
        for algorithm in options.algorithms:
            results[algorithm][str(seed)] = rows = run(algorithm, seed, pool, test, options, first)
            curve = " ".join(f"{100 * row['ap50']:.1f}" for row in rows)
            print(f"{time.monotonic() - began:6.0f} s  seed {seed}  {algorithm:16} {curve}", flush=True)
        document = {
            "options": {name: str(value) for name, value in vars(options).items()},
            "pool": POOL,
            "test": TEST,
            "seconds": round(time.monotonic() - began, 1),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "results": results,
        }
        (options.out / "learning-curve.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
        write_results({name: runs for name, runs in results.items() if runs}, options.out)


if __name__ == "__main__":
    main()
