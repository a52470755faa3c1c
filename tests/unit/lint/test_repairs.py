"""Every finding says how to mend it, and a line that can be put in as it is does mend it."""

from collections import Counter

import pytest

from layerwright.lint import KINDS, Source, kind_of_file, lint_source
from support.lint import FILES, FOLDER, findings

CASES = [
    pytest.param(file, finding, id=f"{finding.code}-{finding.where.location}")
    for file in FILES
    for finding in findings(file)
]
CAN_FOLLOW = {
    "LW-LINT-SETUP-PY": {"LW-LINT-PIP-CACHE"},  # pip takes the place of setup.py
    "LW-LINT-SHELL-FORM": {"LW-LINT-PID-ONE"},  # no shell in front of the program any more
    "LW-LINT-APT-UPDATE-APART": {"LW-LINT-APT-LISTS"},
    "LW-LINT-LOST-CONTINUATION": {"LW-LINT-IMAGE-TAG", "LW-LINT-ALWAYS-INTERACTIVE"},  # the command is whole
    "LW-LINT-MISSPELT-OPTION": {"LW-LINT-PRIVILEGED"},  # the option counts now
}


@pytest.mark.parametrize(("file", "finding"), CASES)
def test_a_finding_has_place_excerpt_and_repair(file, finding):
    place = finding.where.location
    text = (FOLDER / file).read_bytes().decode("utf-8", "replace").split("\n")[place.line - 1].rstrip("\r")
    assert place.file == file
    assert 1 <= place.column <= len(text) + 1
    assert place.text == text or "***" in place.text or "?" in place.text
    (fix,) = finding.fix
    assert fix.text
    if finding.code not in {"LW-LINT-SHELL-UNREAD", "LW-LINT-MOJIBAKE"}:
        assert fix.edit or fix.command


@pytest.mark.parametrize(
    ("file", "finding"),
    [case for case in CASES if (fix := case.values[1].fix[0]).replaces and "\n" not in fix.edit],
)
def test_a_line_put_in_mends_it_and_breaks_nothing(file, finding):
    text = (FOLDER / file).read_bytes().decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    (fix,) = finding.fix
    lines[fix.replaces.line - 1] = fix.edit
    before, after = codes(file, text), codes(file, "\n".join(lines))
    assert after[finding.code] < before[finding.code]
    new = {code for code in after if after[code] > before[code]}
    assert new <= CAN_FOLLOW.get(finding.code, set())


def codes(file, text):
    found = lint_source(Source(file=file, text=text), kind_of_file(file, text), has_ignore_file=False)
    return Counter(one.code for one in found)


def test_most_kinds_have_a_line_to_put_in():
    ready = {case.values[1].code for case in CASES if case.values[1].fix[0].replaces}
    assert len(ready) > 0.75 * len(KINDS)


def test_lines_to_fill_in_are_not_offered_as_replacements():
    for case in CASES:
        (fix,) = case.values[1].fix
        assert fix.replaces is None or not {"VERSION", "COMMIT", "DIGEST", "…"} & set(
            fix.edit.replace("=", " ").split()
        )
