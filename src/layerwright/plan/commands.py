"""Steps that run what the spec says: commands, smoke tests, and tests whose failures are judged."""

from collections.abc import Mapping

from layerwright.guest import test_judge
from layerwright.plan.steps import RunCommand, RunTests
from layerwright.spec.model import BuildTest, RunItem

__all__ = ["command_step", "judged_step"]


def command_step(
    item: RunItem, *, env: Mapping[str, str], workdir: str, keep: bool
) -> tuple[RunCommand, str]:
    """The step of a command, and its title.

    Args:
        item: what is run.
        env: variables of the image; the command's own win.
        workdir: folder it is run in.
        keep: what it changes stays in the image; a smoke test leaves nothing.
    """
    step = RunCommand(
        argv=item.argv,
        script=item.script,
        secrets=item.secrets,
        network=item.network,
        env={**env, **item.env},
        workdir=workdir,
        keep=keep,
        location=item.location,
    )
    return step, f"{'run' if keep else 'smoke'} {_first_line(item)}"


def judged_step(item: BuildTest, *, env: Mapping[str, str], workdir: str) -> tuple[RunTests, str]:
    """The step of a run of tests, and its title; arguments as for ``command_step``."""
    import hashlib  # noqa: PLC0415 - start-up

    step = RunTests(
        argv=item.argv,
        script=item.script,
        log=item.log,
        junit=item.junit,
        allow=item.allow,
        judge=hashlib.sha256(test_judge().encode()).hexdigest(),
        secrets=item.secrets,
        network=item.network,
        env={**env, **item.env},
        workdir=workdir,
        location=item.location,
    )
    return step, f"test {_first_line(item)}"


def _first_line(item: RunItem) -> str:
    import shlex  # noqa: PLC0415 - start-up

    first, *more = (item.script.strip() or shlex.join(item.argv)).splitlines()
    return f"{first} …" if more else first
