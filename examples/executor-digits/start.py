"""Starts the work that env.yaml asks for, and outlives it: a worker killed for its memory is told as such.

Nothing heavy is imported here, so that this process is never the one to be killed.
"""

import subprocess  # noqa: TID251 - an executor is a program of its own
import sys

from ymir_exc.executor import Executor

KILLED = -9


def main() -> int:
    """Training alone, or mining and then infer; ends with the worker's own code."""
    apps = {task: f"{sys.executable} work.py {task}" for task in ("training", "mining", "infer")}
    try:
        return Executor(apps, report_errors=True).start()
    except subprocess.CalledProcessError as error:
        # The worker has said why in its last lines, which is what users of the platform see; but a killed one.
        if error.returncode != KILLED:
            return error.returncode
        print("the worker was killed, for want of memory as a rule: try a smaller batch_size or image_size")
        return 128 - KILLED


if __name__ == "__main__":
    sys.exit(main())
