"""docs/doctor.md has a section for each check, with why, a source and both ways to mend it; and no other section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opstool.engine.access.examine import EXAMINED
from opstool.engine.checks import CHECKS, RULES
from opstool.words.check import Check, CheckStatus

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODES = [each.code for each in RULES]
PERMISSIONS = [f"permission_{name}" for name in EXAMINED]


def test_every_code_has_its_section_and_every_section_its_code() -> None:
    """In the order in which the checks are grouped there, each once."""
    assert sorted(SECTIONS) == sorted([*CODES, *PERMISSIONS])
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) == len(SECTIONS)


@pytest.mark.parametrize("code", CODES)
def test_a_section_says_why_from_where_and_how_to_mend_it(code: str) -> None:
    """Two sentences at least, AWS's own page, lines for the template and a command."""
    text = SECTIONS[code]
    assert len(text.split("```")[0].split(". ")) >= 2
    assert re.search(r"^\[Source\]\(https://docs\.aws\.amazon\.com/[^)]+\)$", text, re.MULTILINE)
    assert re.search(r"^```yaml\n.+?^```$", text, re.MULTILINE | re.DOTALL)
    assert re.search(r"^```sh\n(aws|opstool) .+?^```$", text, re.MULTILINE | re.DOTALL)


def test_a_check_leads_to_its_section() -> None:
    """The anchor is the one that GitHub makes of the heading."""
    check = Check(code="dlq_unused", title="t", subject="s", status=CheckStatus.PASSED, found="f", why="w")
    assert check.page == "docs/doctor.md#dlq_unused"
    assert len(CHECKS) == len(RULES)
