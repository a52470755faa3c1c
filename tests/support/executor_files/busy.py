"""An executor without packages: trains for a while, finds a box in every second picture, ranks by name."""

import json
import os
import pathlib
import time

out = pathlib.Path("/out")
config = json.loads(os.environ["CONFIG"])
task = pathlib.Path("/in/env.yaml").read_text()


def flag(name):
    return f"{name}: true" in task


def report(percent):
    text = f"t\t{time.time()}\t{percent:.2f}\t2\t0\n"
    (out / "monitor.new").write_text(text)
    (out / "monitor.new").rename(out / "monitor.txt")


def candidates():
    return pathlib.Path("/in/candidate-index.tsv").read_text().split()


def result(stages):
    lines = ["best_stage_name: " + max(stages, key=lambda name: stages[name][1]), "model_stages:"]
    for name, (when, value) in stages.items():
        lines.append(f"  {name}: {{stage_name: {name}, files: [{name}.pt], timestamp: {when}, mAP: {value}}}")
    (out / "models/result.new").write_text("\n".join(lines) + "\n")
    (out / "models/result.new").rename(out / "models/result.yaml")


if flag("run_training"):
    stages = {}
    for epoch in range(config["epochs"]):
        print(f"epoch {epoch + 1}", flush=True)
        time.sleep(config["pause"])
        name = f"epoch_{epoch + 1}"
        (out / "models" / f"{name}.pt").write_text(name)
        stages[name] = (int(time.time()), round(1 - 1 / (epoch + 2), 3))
        result(stages)
        report((epoch + 1) / config["epochs"])
if flag("run_mining"):
    report(0.5)
    ranked = sorted(candidates())
    lines = [f"{path}\t{1 - place / 100}\n" for place, path in enumerate(ranked)]
    (out / "result.tsv").write_text("".join(lines))
    report(1)
if flag("run_infer"):
    report(0.5)
    found = {}
    for place, path in enumerate(sorted(candidates())):
        box = {"box": {"x": 2, "y": 2, "w": 20, "h": 12}, "class_name": "cat", "score": 0.5}
        found[pathlib.Path(path).name] = {"boxes": [box] if place % 2 == 0 else []}
    (out / "infer-result.json").write_text(json.dumps({"detection": found}))
    report(1)
