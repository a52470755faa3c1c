"""The README's example is true: it trains, and the platform takes what it wrote."""

import re
from pathlib import Path

from model import monitor, training

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs(task):
    task.weights("best.pt")
    task.write_config(epochs=3)
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    scope = {}
    exec(code, scope)
    scope["train"]()
    found = training.read(str(task.models))
    assert sorted(found.members) == ["epoch_1", "epoch_2", "epoch_3"]
    assert monitor.parse(task.monitor).percent == 1
