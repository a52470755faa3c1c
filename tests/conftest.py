"""What every test shares."""

import os
import re
import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine, not about the property.
settings.register_profile("layerwright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("layerwright")

# A shell starts what runs in its background with SIGINT ignored, and every program started from there inherits that:
# tests of Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

_COMBINATIONS = (
    r"does not work here",  # a runner that this kernel or its cgroups refuse
    r"the runner tells it in its own words",
    r"nothing can be cut off without a namespace",
    r"there is no /proc to read",
    r"runc gives the program a terminal of its own",
    r"this store is always given everything",
    r"is known to write tars in another way",
    r"is no Python 3",
    r"is for x86-64",
    r"is made for x86-64",
)
"""Reasons that lie in a combination rather than in something that was not installed or started."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything must be there (LAYERWRIGHT_REQUIRE_ENGINES), a test skipped for want of a tool is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("LAYERWRIGHT_REQUIRE_ENGINES"):
        return
    missing = [
        report.nodeid
        for report in reporter.stats.get("skipped", ())
        if not re.search("|".join(_COMBINATIONS), str(report.longrepr))
    ]
    if missing:
        reporter.write_line(
            f"{len(missing)} tests were skipped that must run here: {', '.join(missing)}", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
