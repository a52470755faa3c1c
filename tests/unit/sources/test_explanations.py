from pathlib import Path

import pytest

from layerwright.core.errors import NetworkError, ResolveError
from layerwright.core.source import Location
from layerwright.oci.platform import Platform
from layerwright.resolve import PackageRequest
from layerwright.sources.explanations import explain, mentions, warnings_of
from layerwright.spec.model import IndexPackage


def request(*texts):
    packages = tuple(
        IndexPackage(requirement=text, location=Location(file="x", line=line))
        for line, text in enumerate(texts, 1)
    )
    return PackageRequest(
        cell="infer",
        python="3.11",
        glibc="2.36",
        platform=Platform(),
        packages=packages,
        root=Path("/nowhere"),
    )


OLDER = """\
  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:
  ╰─▶ Because there is no version of numpy==9 and you require numpy==9, we can
      conclude that your requirements are unsatisfiable.

      hint: look elsewhere
"""


def test_older_drawings_are_read_too():
    error = explain(OLDER, request("numpy==9", "six"))
    assert isinstance(error, ResolveError)
    assert error.what.splitlines()[1:] == [
        "Because there is no version of numpy==9 and you require numpy==9, we can",
        "conclude that your requirements are unsatisfiable.",
    ]
    assert error.hint == "look elsewhere"
    assert error.where.line == 1


def test_two_requirements_in_one_explanation_have_no_single_place():
    text = "error: No solution found when resolving dependencies\n  cause: numpy clashes with six\n"
    assert explain(text, request("numpy", "six")).where is None


def test_secrets_are_masked_everywhere():
    text = "error: Failed to fetch: https://me:hunter2@example.org/simple\n  cause: token hunter3 refused\n"
    error = explain(text, request("six"), secrets=["hunter3"])
    assert isinstance(error, NetworkError)
    assert "hunter" not in error.what + error.hint


def test_certificates_have_their_own_hint():
    error = explain(
        "error: Failed to fetch: https://x\n  cause: invalid peer certificate: UnknownIssuer\n",
        request("six"),
    )
    assert "SSL_CERT_FILE" in error.hint


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("you require numpy==9", "numpy", True),
        ("Because numpy was not found.", "numpy", True),
        ("you require numpy-stubs", "numpy", False),
        ("`numpy`", "numpy", True),
        ("numpy.typing", "numpy", False),
    ],
)
def test_names_are_found_as_whole_words(text, name, found):
    assert mentions(text, name) is found


def test_warnings_for_the_user_are_kept_and_others_dropped():
    text = "Resolved 3 packages in 2ms\nwarning: The requested Python version 3.9 is not available\n"
    text += "warning: `x` is yanked\n"
    assert warnings_of(text) == ("`x` is yanked",)
