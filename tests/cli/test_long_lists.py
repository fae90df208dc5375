"""Long lists are written as they are read: the same bytes, and never all of them in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from opstool.cli import output
from opstool.cli.notices import Notices
from opstool.cli.output import Output, OutputFormat
from opstool.words.document import dump

WHOLE = {"version": 1, "notes": ["a", "]}"]}
LAST = {"type": "report"}


@pytest.mark.parametrize("number", [0, 1, 2, 5_000])
def test_a_json_list_is_one_document_however_long_it_is(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Written in pieces, it has the bytes of the document that is dumped at once."""
    entries = [{"number": each, "text": "é"} for each in range(number)]
    Output(OutputFormat.JSON, Notices()).listing(WHOLE, "entries", iter(entries), LAST)
    assert capsys.readouterr().out == dump({**WHOLE, "entries": entries}) + "\n"


@pytest.mark.parametrize("form", [OutputFormat.JSON, OutputFormat.JSONL])
def test_a_list_is_written_before_all_of_it_is_read(form: OutputFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece has been written when the last entry is asked for."""
    written: list[str] = []
    monkeypatch.setattr(output, "write", lambda text: not written.append(text))
    seen_by_then: list[int] = []

    def entries() -> Iterator[dict[str, Any]]:
        for number in range(5_000):
            seen_by_then.append(sum(map(len, written)))
            yield {"number": number, "text": "x" * 100}

    Output(form, Notices()).listing(WHOLE, "entries", entries(), LAST)
    assert seen_by_then[-1] > seen_by_then[2_500] > 0
    assert max(map(len, written)) < sum(map(len, written)) / 5
    text = "".join(written)
    assert len(json.loads(text)["entries"] if form is OutputFormat.JSON else text.splitlines()[:-1]) == 5_000


def test_nothing_is_read_for_a_reader_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`| head` has seen enough after the first piece."""
    monkeypatch.setattr(output, "write", lambda _: False)
    read = 0

    def entries() -> Iterator[dict[str, Any]]:
        nonlocal read
        for number in range(5_000):
            read += 1
            yield {"number": number, "text": "x" * 100}

    Output(OutputFormat.JSONL, Notices()).listing(WHOLE, "entries", entries(), LAST)
    assert 0 < read < 1_000
