"""Why things clash: the smallest set that does, and repairs that were tried before they are offered."""

from layerwright.conflicts.explain import explain_findings

__all__ = ["explain_findings"]
