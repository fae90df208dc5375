"""What the documents link to is there: files, and the sections of documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/recorded/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def sections(document: Path) -> set[str]:
    """Return the names that a browser knows the headings by: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.strip().lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    """A file that was moved, or a heading that was reworded, is found before a reader finds it."""
    for path, section in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not section or section in sections(target), f"{path}#{section}"
