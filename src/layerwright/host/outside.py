"""A process of ours that stays outside of our user namespace, and starts programs there.

Podman without root makes a namespace of its own out of the caller's; a process that has entered one cannot leave it.
So whoever needs both has a child from before, which runs one program at a time with the caller's own ids.
"""

import base64
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Self

from layerwright.host.process import Completed, ProcessError, run

__all__ = ["Outside"]


class Outside:
    """Starts programs outside; ends with the process that made it.

    Args:
        channel: the way to the child.
        child: its process id.
    """

    def __init__(self, channel: socket.socket, child: int) -> None:
        self._channel = channel
        self._answers = channel.makefile("rb")
        self._child = child

    @classmethod
    def start(cls) -> Self:
        """Fork the child; early, while there is one thread."""
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            _serve(theirs)
        theirs.close()
        return cls(ours, child)

    def close(self) -> None:
        """Let the child end."""
        self._answers.close()
        self._channel.close()

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout: float,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
        masked: Sequence[str] = (),
    ) -> Completed:
        """As ``host.process.run``, but outside.

        Raises:
            ProcessError: could not be started, took too long, or failed while ``check`` is set.
        """
        question = {
            "argv": list(argv),
            "env": dict(env),
            "timeout": timeout,
            "lines": on_line is not None,
            "check": check,
            "masked": list(masked),
        }
        try:
            answer = self._ask(question, on_line)
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)  # it stops what it has started
            raise
        if answer is None:
            raise ProcessError(
                "the process outside of the user namespace ended", argv=tuple(argv[:2]), status=-1
            )
        if "what" in answer:
            raise _failure(answer)
        return Completed(
            argv=tuple(argv),
            status=answer["status"],
            stdout=base64.b64decode(answer["stdout"]),
            stderr=base64.b64decode(answer["stderr"]),
        )

    def _ask(
        self, question: Mapping[str, object], on_line: Callable[[str], None] | None
    ) -> dict[str, Any] | None:
        """The child's last word to a question; None when it is gone."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._channel.sendall(json.dumps(question).encode() + b"\n")
            for row in self._answers:
                answer: dict[str, Any] = json.loads(row)
                if "line" not in answer:
                    return answer
                if on_line is not None:
                    on_line(answer["line"])
        return None


def _failure(answer: Mapping[str, Any]) -> ProcessError:
    error = ProcessError("", argv=tuple(answer["argv"]), status=answer["status"])
    error.args = (answer["what"],)
    error.what, error.hint = answer["what"], answer["hint"]
    error.output, error.timed_out = answer["output"], answer["timed_out"]
    return error


def _serve(channel: socket.socket) -> NoReturn:
    signal.signal(signal.SIGTERM, _end)
    try:
        for row in channel.makefile("rb"):
            _answer(channel, json.loads(row))
    except (OSError, KeyboardInterrupt, SystemExit):
        pass  # the other side went, or wants us to
    finally:
        os._exit(0)


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _answer(channel: socket.socket, question: Mapping[str, Any]) -> None:
    def tell(answer: Mapping[str, object]) -> None:
        channel.sendall(json.dumps(answer).encode() + b"\n")

    try:
        done = run(
            question["argv"],
            env=question["env"],
            timeout=question["timeout"],
            on_line=(lambda line: tell({"line": line})) if question["lines"] else None,
            check=question["check"],
            masked=question["masked"],
        )
    except ProcessError as error:
        tell(
            {
                "what": error.what,
                "hint": error.hint,
                "argv": error.argv,
                "status": error.status,
                "output": error.output,
                "timed_out": error.timed_out,
            }
        )
        return
    tell(
        {
            "status": done.status,
            "stdout": base64.b64encode(done.stdout).decode(),
            "stderr": base64.b64encode(done.stderr).decode(),
        }
    )
