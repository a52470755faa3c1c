"""Tests of a build: the command that runs and judges them, and what their logs say of how they ended."""

from msgspec import Struct

from layerwright.guest import test_judge
from layerwright.plan.steps import RunCommand, RunTests

__all__ = ["ALLOWED_LABEL", "LONGEST_VERDICT", "Verdict", "judged_command", "judged_words", "read_verdict"]

ALLOWED_LABEL = "dev.layerwright.tests.allowed"
"""Label of images whose tests may fail: their names, as a list in JSON."""

_BEGINS = "--- layerwright: verdict ---"
LONGEST_VERDICT = 4 << 20
"""Bytes at the end of a log that are looked at: a verdict names every failing test."""


class Verdict(Struct, frozen=True, kw_only=True):
    """How tests that a build passed have ended.

    Attributes:
        log: file of the image that keeps what they printed.
        failed: names of tests that failed, all of them allowed to.
        unused: names that the spec allows to fail and that did not.
    """

    log: str
    failed: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def judged_words(step: RunTests) -> tuple[str, ...]:
    """What the judge is told."""
    return (step.log, step.junit, str(len(step.allow)), *step.allow, *step.argv)


def judged_command(step: RunTests, program: str = "") -> RunCommand:
    """The tests as a command that fails unless every failing test is allowed.

    Args:
        step: the tests.
        program: where the judge stands while they run; empty to have its text in the command.
    """
    judge = ("/bin/sh", program) if program else ("/bin/sh", "-c", test_judge(), "run-tests")
    return RunCommand(
        argv=(*judge, *judged_words(step)),
        script=step.script or " ".join(step.argv),
        secrets=step.secrets,
        network=step.network,
        env=step.env,
        workdir=step.workdir,
        location=step.location,
    )


def read_verdict(log: str, data: bytes) -> Verdict | None:
    """What the end of a log says; None when no judge has written there.

    Args:
        log: the log's file in the image.
        data: its bytes, or the last of them.
    """
    lines = data[-LONGEST_VERDICT:].decode("utf-8", "replace").splitlines()
    places = [place for place, line in enumerate(lines) if line == _BEGINS]
    if not places:
        return None
    told: dict[str, list[str]] = {"allowed": [], "unused": []}
    for line in lines[places[-1] + 1 :]:
        word, _, name = line.partition(": ")
        if word in told:
            told[word].append(name)
    return Verdict(log=log, failed=tuple(told["allowed"]), unused=tuple(told["unused"]))
