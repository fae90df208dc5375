"""A bar chart as SVG, readable on light and on dark pages, with nothing but text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 250, 90, 26, 40
_STYLE = """<style>
text { font: 14px system-ui, sans-serif; fill: #1f2328; } .title { font-weight: 600; } .bar { fill: #8c959f; }
.ours { fill: #0969da; } @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .bar { fill: #6e7681; }
.ours { fill: #4493f8; } }
</style>"""

Bar = tuple[str, float, bool]
"""Its words, its value, and whether it is ours."""


def chart(groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Return the groups of bars below each other; each group has a title and a scale of its own, from 0."""
    parts: list[str] = []
    y = 0
    for title, bars in groups:
        parts.append(f'<text class="title" x="10" y="{y + 24}">{escape(title)}</text>')
        y += TOP
        longest = max((value for _, value, _ in bars), default=0) or 1
        for words, value, is_ours in bars:
            width = max(1.0, (WIDTH - LEFT - RIGHT) * value / longest)
            kind = "bar ours" if is_ours else "bar"
            parts.append(f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end">{escape(words)}</text>')
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="18" rx="2"/>')
            parts.append(f'<text x="{LEFT + width + 8:.1f}" y="{y + 16}">{amount(value)}</text>')
            y += ROW
        y += 10
    label = escape("; ".join(title for title, _ in groups), quote=True)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{label}">'
    return "\n".join([head, _STYLE, *parts, "</svg>", ""])


def amount(value: float) -> str:
    """Return a number with three digits that count, thousands set apart."""
    if value >= 100:  # noqa: PLR2004 - three digits before the point already
        return f"{value:,.0f}"
    return f"{value:.3g}"
