"""Secrets in a finished image: known values in every spelling, and shapes of unknown ones."""

from layerwright.verify.secrets.findings import secret_findings
from layerwright.verify.secrets.given import read_secret_files
from layerwright.verify.secrets.known import fault_of_secret
from layerwright.verify.secrets.model import KINDS, Hit
from layerwright.verify.secrets.scan import FileScan, Limits, SecretScanner

__all__ = [
    "KINDS",
    "FileScan",
    "Hit",
    "Limits",
    "SecretScanner",
    "fault_of_secret",
    "read_secret_files",
    "secret_findings",
]
