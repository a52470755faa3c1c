"""Why things clash: the smallest set that does, and repairs that were tried before they are offered."""

from layerwright.conflicts.explain import explain_findings
from layerwright.conflicts.resolution import KIND

__all__ = ["KINDS", "explain_findings"]

KINDS = (KIND,)
"""What is found here and by no rule: resolutions that failed."""
