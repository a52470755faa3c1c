import os
from pathlib import Path

from layerwright.host.environment import HostEnvironment


def test_system_folders_are_searched_last_and_relative_ones_never() -> None:
    host = HostEnvironment.gather({"PATH": "tools:/opt/x:/usr/bin:", "HOME": "/home/u"})
    folders = host.path.split(":")
    assert folders[:2] == ["/opt/x", "/usr/bin"]
    assert folders.count("/usr/bin") == 1
    assert "/usr/sbin" in folders
    assert all(folder.startswith("/") for folder in folders)


def test_home_falls_back_to_the_user_database() -> None:
    assert HostEnvironment.gather({"HOME": "/home/u"}).home == Path("/home/u")
    assert HostEnvironment.gather({"HOME": "not/absolute"}).home.is_absolute()
    assert HostEnvironment.gather({}).home.is_absolute()


def test_the_caller_is_who_runs_us_unless_said_otherwise() -> None:
    host = HostEnvironment.gather({})
    assert (host.caller_uid, host.caller_gid) == (host.uid, host.gid) == (os.geteuid(), os.getegid())


def test_values_of_variables_are_not_shown() -> None:
    assert "s3cret" not in repr(HostEnvironment.gather({"TOKEN": "s3cret"}))
