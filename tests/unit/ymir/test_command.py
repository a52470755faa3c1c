"""The command line of §4.1, word for word."""

import pytest

from layerwright.ymir.command import Launch, container_argv, default_shm_size

PLAIN = Launch(image="app:1", name="t1", inputs="/w/in", outputs="/w/out", shm_size="16G")


def test_the_whole_line() -> None:
    from msgspec.structs import replace

    launch = replace(PLAIN, links=("/w/assets", "/w/tensorboard"), user="1000:1000", gpus=(2, 5))
    assert container_argv("docker", launch) == [
        "docker", "run", "--rm", "-v/w/in:/in:ro", "-v/w/out:/out", "-v/w/assets:/w/assets",
        "-v/w/tensorboard:/w/tensorboard", "--user", "1000:1000", "--gpus", '"device=2,5"', "--shm-size=16G",
        "--name", "t1", "app:1",
    ]  # fmt: skip


def test_what_is_left_out() -> None:
    words = container_argv("docker", PLAIN)
    assert words == [
        "docker",
        "run",
        "--rm",
        "-v/w/in:/in:ro",
        "-v/w/out:/out",
        "--shm-size=16G",
        "--name",
        "t1",
        "app:1",
    ]
    assert not any(word in {"--env", "--network", "--workdir", "--memory", "--init"} for word in words)


def test_robustness_runs_alone_deviate() -> None:
    from msgspec.structs import replace

    words = container_argv(
        "podman", replace(PLAIN, network=False, memory=1 << 20), extra=("--userns", "keep-id")
    )
    assert words[-9:] == [
        "--network", "none", "--memory", "1048576", "--memory-swap", "1048576", "--userns", "keep-id", "app:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("configured", "gpus", "expected"),
    [(None, 0, "16G"), ("", 1, "16G"), (None, 4, "64G"), ("32G", 4, "32G"), (32, 0, "32")],
)
def test_shared_memory(configured: object, gpus: int, expected: str) -> None:
    assert default_shm_size(configured, gpus) == expected
