"""What a build tells, as JSON values (DESIGN §9, schema 1)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layerwright.backends.base import Outcome
    from layerwright.plan.testing import Verdict

__all__ = ["outcome_document", "tests_document", "unchanged"]


def outcome_document(outcome: "Outcome") -> dict[str, Any]:
    """The object that ``build --json`` prints."""
    return {
        "schema": 1,
        "images": [
            {
                "cell": image.cell,
                "reference": image.references[0],
                "references": list(image.references),
                "digest": str(image.image.digest),
                "config_digest": str(image.image.config_digest),
                "layers": [
                    {
                        "digest": str(layer.digest),
                        "diff_id": str(layer.diff_id),
                        "size": layer.size,
                        "created_by": layer.created_by,
                        "cached": cached,
                    }
                    for layer, cached in zip(image.layers, image.cached, strict=True)
                ],
                "tests": tests_document(image.tests),
                "seconds": round(image.seconds, 4),
                "bytes_written": image.bytes_written,
            }
            for image in outcome.images
        ],
        "failures": [
            {"cell": failure.cell, "what": failure.error.what, "exit_code": failure.error.exit_code}
            for failure in outcome.failures
        ],
        "outputs": [],
    }


def tests_document(tests: "Sequence[Verdict]") -> list[dict[str, Any]]:
    """How the tests of an image ended: those that failed and may, and those that may and did not."""
    return [{"log": one.log, "failed": list(one.failed), "unused": list(one.unused)} for one in tests]


def unchanged(document: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The same build again, with nothing done."""
    images = [
        {
            **image,
            "layers": [{**layer, "cached": True} for layer in image["layers"]],
            "seconds": round(seconds, 4),
            "bytes_written": 0,
        }
        for image in document["images"]
    ]
    return {**document, "images": images}
