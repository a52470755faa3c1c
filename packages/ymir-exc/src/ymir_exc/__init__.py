"""What a YMIR executor needs to talk to the platform: read the task, report progress, write results.

The package root exports nothing, as in the SDKs it stands in for: ``from ymir_exc import monitor, result_writer``.
Section numbers in docstrings are those of the contract of YMIR executors that this package was written from.
"""

__all__ = ()
