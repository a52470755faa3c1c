# ruff: noqa: BLE001, PTH104, PTH119, PTH123, SIM115 - the plainest Python there is
"""A small executor of the standard library alone, which breaks the contract in the way that its `mode` says."""

import json
import os
import signal
import sys
import time


def read_flat(path):
    """The top level of a YAML file as the platform writes it: plain values, lists of text, one level of sections."""
    values, section, key = {}, None, None
    for line in open(path, encoding="utf-8"):
        text = line.rstrip("\n")
        if text.startswith("- "):
            values[key].append(text[2:].strip("'\""))
            continue
        name, _, value = text.strip().partition(":")
        value = value.strip().strip("'\"")
        if text.startswith("  "):
            values.setdefault(section, {})[name] = value
        elif value == "":
            section = key = name
            values[name] = [] if name.endswith(("names", "params", "path")) else {}
        elif value == "[]":
            values[name] = []
        else:
            values[name] = value
    return values


ENV = read_flat("/in/env.yaml")
CONFIG = read_flat("/in/config.yaml")
MODE = CONFIG.get("mode") or "good"
STEPS = int(CONFIG.get("steps") or 4)
PAUSE = float(CONFIG.get("pause") or 0.05)


def report(percent, state=2, code=0, message=""):
    text = "\t".join([ENV["task_id"], repr(time.time()), f"{percent:.2f}", str(state), str(code), message])
    with open("/out/.monitor", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.rename("/out/.monitor", "/out/monitor.txt")


def lines(path):
    return [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8") if line.strip()]


def readable(path):
    data = open(path, "rb").read()
    return data.startswith((b"\x89PNG", b"\xff\xd8")) and (data.endswith((b"IEND\xaeB`\x82", b"\xff\xd9")))


def result(stages, **more):
    entries = {
        name: {"stage_name": name, "files": files, "timestamp": int(time.time()), "mAP": metric}
        for name, files, metric in stages
    }
    best = max(stages, key=lambda stage: stage[2] if isinstance(stage[2], float) else 0)[0]
    document = {"model_stages": entries, "best_stage_name": best, "mAP": stages[-1][2], **more}
    text = json.dumps(document)  # JSON is YAML
    if MODE == "numpy":
        text = (
            "best_stage_name: s0\nmodel_stages:\n  s0:\n    stage_name: s0\n    files: [s0.bin]\n    timestamp: 1\n"
            "    mAP: !!python/object/apply:numpy.core.multiarray.scalar\n    - !!binary AAAA\n"
        )
    with open("/out/models/.result", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename("/out/models/.result", "/out/models/result.yaml")


def train():
    pictures = [row[0] for row in lines(ENV["input"]["training_index_file"])]
    held_out = lines(ENV["input"]["val_index_file"])
    assert pictures, "no training pictures"
    print(f"training on {sum(map(readable, pictures))} pictures, validating on {len(held_out)}", flush=True)
    start = CONFIG.get("pretrained_model_params")
    if start:
        print("starting from", open(start[0], encoding="utf-8").read(), flush=True)
    # One record: an event with the scalar "a"; checksums are not looked at.
    value = b"\x0a\x01a\x15\x00\x00\x00\x3f"
    event = b"\x2a" + bytes([len(value) + 2]) + b"\x0a" + bytes([len(value)]) + value
    with open("/out/tensorboard/events.out.tfevents.1", "wb") as file:
        file.write(len(event).to_bytes(8, "little") + bytes(4) + event + bytes(4))
    stages = []
    for step in range(STEPS):
        time.sleep(PAUSE)
        name = f"s{step}"
        with open(f"/out/models/{name}.bin", "w", encoding="utf-8") as file:
            file.write(f"weights {step}")
        files = ["/etc/hostname"] if MODE == "absolute" else [f"{name}.bin"]
        stages.append((name, files, (step + 1) / (STEPS + 1) * (100 if MODE == "percent" else 1)))
        if MODE != "late" or step == STEPS - 1:
            result(stages)
        report((step + 1) / STEPS * (1.2 if MODE == "percent-1.2" else 1))
        time.sleep(PAUSE)


def mine():
    pictures = [row[0] for row in lines(ENV["input"]["candidate_index_file"])]
    with open("/out/result.tsv", "w", encoding="utf-8") as file:
        for place, picture in enumerate(pictures):
            score = place if MODE == "unsorted" else len(pictures) - place
            file.write(f"{picture}{' ' if MODE == 'blanks' else chr(9)}{score / len(pictures)}\n")


def infer():
    pictures = [row[0] for row in lines(ENV["input"]["candidate_index_file"])]
    names = [os.path.basename(picture) for picture in pictures]
    if CONFIG.get("object_type") in ("3", "4"):
        document = {
            "images": [
                {"id": place, "file_name": f"/in/assets/{name}" if MODE == "path" else name, "width": 8, "height": 8}
                for place, name in enumerate(names, start=1)
            ],
            "categories": [{"id": 0, "name": CONFIG["class_names"][0]}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 0, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0,
                 "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}
            ],
        }  # fmt: skip
    else:
        x = 1.5 if MODE == "floats" else 1
        boxes = [
            {"box": {"x": x, "y": 1, "w": 4, "h": 4}, "class_name": CONFIG["class_names"][0], "score": 0.9}
        ]
        document = {"detection": {name: {"boxes": boxes} for name in names}}
    with open("/out/infer-result.json", "w", encoding="utf-8") as file:
        json.dump(document, file)


def work():
    try:
        open("/in/probe", "w").close()
    except OSError:
        pass
    else:
        raise AssertionError("/in can be written to")
    if ENV["run_training"] == "true":
        train()
    if ENV["run_mining"] == "true":
        mine()
        report(0.5 if ENV["run_infer"] == "true" else 1)
    if ENV["run_infer"] == "true":
        infer()
        report(1)


def main():
    if MODE == "exit-137":
        report(0.1)
        print("working", flush=True)
        os._exit(137)
    if MODE == "silent":
        sys.exit(3)
    # The work is a child: when the kernel ends it for want of memory, somebody is left to say so.
    child = os.fork()
    if child == 0:
        if MODE == "hungry":
            block = bytearray(256 << 20)
            block[::4096] = b"x" * len(block[::4096])
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            report(1, state=4, code=300001)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code in (-signal.SIGKILL, 137):
        report(1, state=4, code=300103, message="out of memory")
        sys.exit(137)
    sys.exit(code)


if __name__ == "__main__":
    main()
