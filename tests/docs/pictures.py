"""Draw the README's pictures: chapters of the demo as a terminal shows them, by Rich's own export.

`make pictures` runs it. `opstool demo` runs on a terminal of its own (a pseudo-terminal), so what is drawn, colours
included, is what a person would see.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
COLUMNS = 110
PICTURES = {"groups": "What is in there, and why?", "show": "One of the most frequent kind"}
"""The pictures by the beginning of the chapter's title."""

_ENOUGH_LINES = 500
_FOLDER = re.compile(r"[^\s`]*/(opstool-demo-\w+)")
# Rich's own, but without the fonts that a page would load from elsewhere: the reader's own will do.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def demo_on_a_terminal(columns: int = COLUMNS) -> str:
    """Return all that `opstool demo` writes to a terminal, escapes included."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", _ENOUGH_LINES, columns, 0, 0))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSTOOL_") and key != "NO_COLOR"}
    environment = {**kept, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "opstool", "demo"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower
    ) as demo:
        os.close(follower)
        written = _all_of(leader)
    assert demo.returncode == 0, written
    return written


def _all_of(leader: int) -> str:
    """Read until nobody writes any more, which Linux tells by an error."""
    parts = []
    with open(leader, "rb", buffering=0) as stream:
        while True:
            try:
                part = stream.read(65_536)
            except OSError:
                break
            if not part:
                break
            parts.append(part)
    return b"".join(parts).decode()


def chapter(written: str, title: str) -> list[str]:
    """Return the lines of a chapter, as they stand once the line that changes has gone."""
    lines = [_last_state(line) for line in written.replace("\r\n", "\n").split("\n")]
    start = next(place for place, line in enumerate(lines) if line.startswith(f"# {title}"))
    found = lines[start + 1 :]
    stop = next((place for place, line in enumerate(found) if line.startswith("# ")), len(found))
    return [_FOLDER.sub(r"\1", line) for line in found[:stop]]


def _last_state(line: str) -> str:
    """Return what is left of a line of which the terminal was told to erase the beginning."""
    return line.rsplit("\r\x1b[K", 1)[-1]


def picture(lines: list[str], title: str) -> str:
    """Return the lines as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False)
    return console.export_svg(title=title, code_format=_SVG, unique_id="opstool")


def main() -> None:
    """Draw every picture."""
    written = demo_on_a_terminal()
    for name, title in PICTURES.items():
        (ROOT / "docs" / f"{name}.svg").write_text(picture(chapter(written, title), "opstool demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
