"""What the documents say can be typed, and what the README shows is what happens."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from pathlib import Path

import pytest

from opstool.cli.main import main
from tests.docs.conftest import Demo

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "docs/runbook.md",
    "docs/embedded-aws.md",
    "docs/filters.md",
    "docs/doctor.md",
    "docs/permissions.md",
    "docs/redriving.md",
    "docs/mending.md",
    "docs/native.md",
    "docs/archives.md",
    "docs/accounts.md",
    "docs/pace.md",
    "docs/origins.md",
)
TRANSCRIPT = re.compile(r"<!-- transcript: demo -->\n```console\n(.*?)```\n<!-- end of transcript -->", re.DOTALL)

# What differs from run to run: ids, names that CloudFormation makes, ports, paths, times, and the spaces around them.
VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "MESSAGE-ID"),
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}"), "RUN-ID"),
    (re.compile(r"^ +[+-]\d+\.\d{3}s  .*"), "LOG-LINE"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}"), "LOG-STREAM"),
    (re.compile(r"demo-ProcessingDLQ-\w+"), "DLQ-NAME"),
    (re.compile(r"demo-Processor(Function|LogGroup)-\w+"), "NAME"),
    (re.compile(r"[\u2581-\u2588][\u2581-\u2588 ]*"), "TREND "),
    (re.compile(r"\bsha256 [0-9a-f]{64}"), "SHA256"),
    (re.compile(r"(?<=13d 23h)\s+\d+s\s+\d+s"), " OLDEST  NEWEST"),
    (re.compile(r"\(\d+s ago\)"), "(AGO)"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "ENDPOINT"),
    (re.compile(r"[^\s`]*opstool-demo-\w+"), "FOLDER"),
    (re.compile(r"\d+ requests?"), "N requests"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"(?<=MESSAGE-ID)\s+\d+s(?=\s)"), " AGE"),
    (re.compile(r"(?<=expires in 13d 23h  )\S.*"), "BODY"),
    (re.compile(r"Test message-\d+"), "Test message"),
    (re.compile(r"[ ]{2,}"), "  "),
)

# The consumer may be quick enough to reject a message again while its redrive still looks for more; and a wait writes a
# line every ten seconds.
MAY_BE_THERE = re.compile(r"  \d+ returned \(sent, and dead again\)|waiting for the outcome: \d+s")


def steady(text: str) -> list[str]:
    """Return the lines with what varies from run to run replaced by its name."""
    lines = []
    for line in text.splitlines():
        if not MAY_BE_THERE.fullmatch(line):
            for pattern, name in VARYING:
                line = pattern.sub(name, line)  # noqa: PLW2901 - one replacement after the other
            lines.append(line.rstrip())
    return [line for line, _ in itertools.groupby(lines)]  # how many log lines there are is the batch's luck


def _commands() -> list[str]:
    """Return every opstool command line that the documents tell people to type."""
    found = []
    for name in DOCUMENTS:
        text = TRANSCRIPT.sub("", (ROOT / name).read_text(encoding="utf-8"))
        fenced = re.findall(r"^(?:\$ )?(opstool [^\n]*)$", text, re.MULTILINE)
        quoted = re.findall(
            r"`(opstool (?:dlq|local|history|resume|send-test-batch|demo|doctor|consumer|iam-policy|--local)[^`\n]*)`",
            text,
        )
        found += [line for line in [*fenced, *quoted] if "$(" not in line]
    return sorted(set(found))


def _write_transcript(text: str) -> None:
    """Put what the demo printed into the README, without the folder it ran in."""
    readme = ROOT / "README.md"
    shown = re.sub(r"[^\s`]*(opstool-demo-\w+)", r"\1", text).strip()
    whole = f"<!-- transcript: demo -->\n```console\n{shown}\n```\n<!-- end of transcript -->"
    readme.write_text(TRANSCRIPT.sub(lambda _: whole, readme.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize("line", _commands())
def test_every_command_of_the_documents_exists_with_its_options(line: str) -> None:
    """Help is asked for at the end of each line: the command and each option before it must be known."""
    words = shlex.split(line.split(" | ", maxsplit=1)[0], comments=True)[1:]
    assert main([*words, "--help"]) == 0


def test_the_documents_name_commands_at_all() -> None:
    """A change of the documents' form must not leave the test above with nothing to do."""
    assert len(_commands()) > 20


def test_the_transcript_of_the_readme_is_what_the_demo_prints(demo: Demo) -> None:
    """The demo is run as a person would run it, and every line of the transcript is compared."""
    if os.environ.get("UPDATE_GOLDEN"):
        _write_transcript(demo.piped)
    match = TRANSCRIPT.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert match is not None

    assert steady(demo.piped) == steady(match[1])
