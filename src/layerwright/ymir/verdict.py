"""How a task ends on the platform (§4.2): exit status, monitor and result put together."""

from typing import Literal

from msgspec import Struct

from layerwright.ymir.codes import (
    CONTAINER_FAILED,
    NO_RESULT,
    PERMISSION,
    UNEXPECTED,
    State,
    Task,
    meaning_of,
)
from layerwright.ymir.monitor import MonitorFault, MonitorReport

__all__ = ["Ending", "ResultState", "Verdict", "from_poll", "judge"]


class ResultState(Struct, frozen=True, kw_only=True):
    """What the executor left in /out, as far as the verdict goes.

    Attributes:
        valid: the platform can use it.
        code: what the platform gives the task when it cannot: 160011, or 169999 for a file that it cannot read.
        why: in words, when it is not valid.
    """

    valid: bool
    code: int = 0
    why: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    """How the platform ends the task.

    Attributes:
        success: the task is done.
        code: 0, or why it failed.
        rule: section of the contract's description.
        reason: what decided it, one sentence without a full stop.
        package: a training's model package is stored; also after a failure with a valid result.
        early: the platform had given the task up while the container still ran.
    """

    success: bool
    code: int
    rule: str
    reason: str
    package: bool = False
    early: bool = False

    @property
    def meaning(self) -> str:
        """The code in words."""
        return meaning_of(self.code)


def judge(
    *,
    task: Task,
    exit_code: int,
    monitor: MonitorReport | MonitorFault,
    result: ResultState,
    polled: Verdict | None = None,
    permission_error: str = "",
    honours_codes: bool = True,
) -> Verdict:
    """Apply the verdict table.

    Args:
        task: what was run.
        exit_code: of the container; 137 when it was killed.
        monitor: monitor.txt when the container had ended.
        result: the result file.
        polled: the verdict of a poll that ended the task before (``from_poll``); nothing later changes it.
        permission_error: the file that could not be read or written, empty for none.
        honours_codes: platform 2.3 and later take the executor's own code (§0.1).
    """
    package = task == "training" and result.valid
    if polled is not None:
        return polled
    if permission_error:
        return _failed(PERMISSION, f"{permission_error} cannot be read or written by the platform")
    if exit_code == 0:
        if result.valid:
            return Verdict(
                success=True,
                code=0,
                rule="4.2",
                reason="the container ended with 0 and its result is valid",
                package=package,
            )
        return _failed(result.code or NO_RESULT, f"the container ended with 0, and {result.why}")
    told = f"the container ended with {exit_code}"
    if isinstance(monitor, MonitorFault):
        return _failed(
            UNEXPECTED, f"{told}, and monitor.txt cannot be read: {monitor.message}", package=package
        )
    if monitor.code and honours_codes:
        return _failed(
            monitor.code, f"{told}, and column 5 of monitor.txt says {monitor.code}", package=package
        )
    no_code = (
        "column 5 of monitor.txt names no code" if honours_codes else "this platform takes no code from it"
    )
    return _failed(CONTAINER_FAILED, f"{told}, and {no_code}", package=package)


def _failed(code: int, reason: str, *, package: bool = False) -> Verdict:
    return Verdict(success=False, code=code, rule="4.2", reason=reason, package=package)


def from_poll(report: MonitorReport | MonitorFault) -> Verdict | None:
    """The verdict that a poll makes by itself while the container runs; None when it goes on (§3.1, §4.2)."""
    if isinstance(report, MonitorFault):
        if not report.code:
            return None
        return Verdict(
            success=False,
            code=report.code,
            rule="3.1",
            reason=f"a poll could not read monitor.txt: {report.message}",
            early=True,
        )
    if report.state is not State.ERROR:
        return None
    return Verdict(
        success=False,
        code=report.code or CONTAINER_FAILED,
        rule="4.2",
        reason="a poll saw state 4 (error), which is final whatever follows",
        early=True,
    )


Ending = Literal["exited", "cancelled", "killed", "timed out"]
"""How the container's run came to its end; ``killed`` is a robustness run's."""
