"""Write small data sets of digit scenes as COCO: `labelled` with `train.json` and `val.json`, and `pool`."""

import argparse
from pathlib import Path

from digits import scenes


def main() -> None:
    """The same numbers and seed give the same files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/scenes"))
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--val", type=int, default=100)
    parser.add_argument("--pool", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = scenes.Digits()
    for number, (name, shares, held_out) in enumerate(
        (
            ("train", (0.1, 0.2, 0.7), False),
            ("val", (0.1, 0.3, 0.6), True),
            ("pool", (0.35, 0.4, 0.25), False),
        )
    ):
        made = scenes.many(digits, getattr(options, name), shares, 10 * options.seed + number, held_out)
        folder = options.out / ("pool" if name == "pool" else "labelled")
        path = scenes.write_coco(made, folder, name)
        print(f"{path}: {len(made)} pictures, {sum(len(scene.classes) for scene in made)} digits")


if __name__ == "__main__":
    main()
