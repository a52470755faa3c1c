"""The usual start of an executor: one command for each task (§5.8)."""

from __future__ import annotations

import logging
import subprocess
import warnings
from typing import Any, Mapping

from ymir_exc import monitor, util

__all__ = ["Executor"]

DEFAULT_APPS: Mapping[str, str] = {
    "training": "python3 ymir/ymir_training.py",
    "mining": "python3 ymir/ymir_mining.py",
    "infer": "python3 ymir/ymir_infer.py",
}


class Executor:
    """Runs what the task asks for: training alone, or mining and then infer.

    Args:
        apps: task → command line, split at white space without a shell; what is missing has the default.
        report_errors: report a command that fails, with the code that fits, unless it did so itself.

    """

    def __init__(self, apps: Mapping[str, str] | None = None, *, report_errors: bool = False) -> None:
        self.apps = {**DEFAULT_APPS, **(apps or {})}
        self.report_errors = report_errors

    def start(self) -> int:
        """Run the commands.

        Returns:
            0.

        Raises:
            subprocess.CalledProcessError: a command ended with another code.
            RuntimeError: the hyper-parameter ``ymir_debug`` is true, which has the platform keep the work folder.

        """
        if not self.report_errors:
            return self._start()
        from ymir_exc import failures  # noqa: PLC0415 - start-up

        with failures.reporting():
            return self._start()

    def _start(self) -> int:
        cfg = util.get_merged_config()
        logging.getLogger("ymir_exc").info("merged config: %s", cfg)
        if cfg.ymir.run_training:
            self._run("training")
            monitor.write_monitor_logger(percent=1.0)
        elif cfg.ymir.run_mining or cfg.ymir.run_infer:
            for task, wanted in (("mining", cfg.ymir.run_mining), ("infer", cfg.ymir.run_infer)):
                if wanted:
                    self._run(task)
                    _write_end(cfg, task)
        else:
            warnings.warn(
                "env.yaml asks for neither training, mining nor infer; nothing is done", stacklevel=3
            )
        if util.get_bool(cfg, "ymir_debug", default_value=False):
            msg = "ymir_debug is true: the executor fails on purpose, so that the platform keeps its folders"
            raise RuntimeError(msg)
        return 0

    def _run(self, task: str) -> None:
        command = self.apps[task]
        logging.getLogger("ymir_exc").info("start %s: %s", task, command)
        subprocess.run(command.split(), check=True)  # noqa: S603 - the executor's own command


def _write_end(cfg: Any, task: str) -> None:
    util.write_ymir_monitor_process(cfg, task=task, naive_stage_percent=1.0, stage=util.YmirStage.POSTPROCESS)
