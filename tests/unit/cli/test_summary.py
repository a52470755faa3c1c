"""The table at the end of a build of several cells."""

from typing import Any

from layerwright.cli import summary
from layerwright.cli.summary import image_line, summary_lines


def image(cell: str, *cached: bool, size: int = 1_500_000) -> dict[str, Any]:
    return {
        "cell": cell,
        "reference": f"demo-{cell}:1",
        "digest": "sha256:" + "a" * 64,
        "layers": [{"cached": one, "size": size} for one in cached],
        "seconds": 1.234,
    }


def lines(images: list[dict[str, Any]], failures: list[tuple[str, str]], order: list[str]) -> list[str]:
    document = {"images": images, "failures": [{"cell": cell, "what": what} for cell, what in failures]}
    return list(
        summary_lines(document, order=order, references={"bad": "demo-bad:1", "child": "demo-child:1"})
    )


def test_a_row_for_each_cell_in_order() -> None:
    head, new, bad, child, old, total = lines(
        [image("new", True, False), image("an-old-one", True, size=0)],
        [("bad", "the smoke test failed"), ("child", "the smoke test failed")],
        ["new", "bad", "child", "an-old-one", "not-asked-for"],
    )
    digest = "sha256:" + "a" * 64
    assert head.split() == ["cell", "reference", "digest", "layers", "seconds"]
    assert new == f"new         demo-new:1         {digest}  2 layers, 3.0 MB, 1 of 2 layers new  1.23"
    assert bad.split() == ["bad", "demo-bad:1", "-", "failed", "-"]
    assert child.split() == ["child", "demo-child:1", "-", "failed", "as", "bad", "-"]
    assert old.split("  ")[-1] == "1.23"
    assert "1 layers, unchanged" in old
    assert total == "1 built, 1 unchanged, 2 failed"


def test_a_cell_whose_name_nobody_knows_has_a_dash() -> None:
    rows = lines([], [("other", "x"), ("another", "y")], ["other", "another"])
    assert [row.split() for row in rows[1:3]] == [
        ["other", "-", "-", "failed", "-"],
        ["another", "-", "-", "failed", "-"],
    ]


def test_one_image_is_a_line() -> None:
    line = image_line(image("app", True, True))
    assert line == f"app  demo-app:1  sha256:{'a' * 64}  2 layers, 3.0 MB, unchanged, 1.23 s"


def test_tests_that_were_let_fail_are_told_and_what_was_let_for_nothing() -> None:
    tests = [
        {"log": "/ut.txt", "failed": ["a.x", "b"], "unused": ["c"]},
        {"log": "/it.txt", "failed": [], "unused": []},
    ]
    assert list(summary.test_lines({**image("dev", True), "tests": tests})) == [
        "  dev: 2 failed in /ut.txt, as allowed: a.x, b",
        "  dev: allowed to fail in /ut.txt, and did not: c",
    ]
    assert list(summary.test_lines(image("old", True))) == []
