"""The pictures of the README show what the demo shows on a terminal, word for word."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from itertools import groupby

import pytest

from tests.docs.conftest import Demo
from tests.docs.pictures import PICTURES, ROOT, chapter, picture
from tests.docs.test_readme import steady

_TEXT = re.compile(r'<text class="opstool-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


def words_of(svg: str) -> list[str]:
    """Return the lines of a picture; how far its words stand apart is the drawing's affair."""
    rows: dict[float, list[tuple[float, str]]] = defaultdict(list)
    for x, y, text in _TEXT.findall(svg):
        rows[float(y)].append((float(x), html.unescape(text).replace("\xa0", " ")))
    lines = [" ".join("  ".join(text for _, text in sorted(rows[y])).split()) for y in sorted(rows)]
    # Where a long line is broken depends on the length of names; log lines depend on the batch.
    joined = " ".join(steady("\n".join(lines)))
    return [word for word, _ in groupby(re.sub(r"LOG-LINE|[+-]\d+\.\d{3}s \{.*?\.\.\.", "", joined).split())]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_the_terminal_shows(name: str, demo: Demo) -> None:
    """The demo runs on a pseudo-terminal, and what it shows now is drawn and compared."""
    drawn = picture(chapter(demo.on_a_terminal, PICTURES[name]), "opstool demo")
    kept = (ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    assert words_of(kept) == words_of(drawn)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_loads_nothing_from_elsewhere(name: str) -> None:
    """No font and no script: whoever opens it tells nobody."""
    kept = (ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"' )]+", kept) == ["http://www.w3.org/2000/svg"]
