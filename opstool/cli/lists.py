"""Messages as a table, and what their cells say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from opstool.cli import words
from opstool.cli.notices import RED, YELLOW
from opstool.cli.origin import origin_name, pointer_text
from opstool.cli.screen import cut, safe, start_of
from opstool.cli.table import Cell, Column, Table
from opstool.verbs.browse import Listing
from opstool.words.document import message_document
from opstool.words.message import Message
from opstool.words.reason import Evidence, Reason, ReasonState
from opstool.words.s3pointer import s3_pointer_of

Paint = Callable[[str, str], str]

_DAY_S = 86_400
_URGENT_S, _SOON_S = _DAY_S, 3 * _DAY_S
_LONGEST_CELL = 80
_ONE_LINE_COLUMNS = 130
"""Ids, times, a source, and enough of reason and body to tell messages apart."""
NOTHING = "-"
NO_LOG_LINE = "no log line"

_MESSAGE_COLUMNS = (
    Column(title="ID", whole=True),
    Column(title="AGE", whole=True, right=True),
    Column(title="EXPIRES IN", whole=True, right=True),
    Column(title="RECEIVES", whole=True, right=True),
    Column(title="SOURCE"),
    Column(title="REASON"),
    Column(title="BODY"),
)


def message_table(listing: Listing, now_ms: int, *, width: int | None, paint: Paint) -> Iterator[str]:
    """Yield the messages as lines of text; on a narrow terminal reason and body have a line of their own below.

    The messages are read twice, for the widths and for the lines: very many are not in memory at once.
    """
    is_wide = width is None or width >= _ONE_LINE_COLUMNS
    columns = _MESSAGE_COLUMNS if is_wide else _MESSAGE_COLUMNS[:-2]
    rows = (_message_row(listing, each, now_ms) for each in listing.messages)
    table = Table(columns, (row[: len(columns)] for row in rows), width=width, paint=paint)
    yield table.header
    for each in listing.messages:
        row = _message_row(listing, each, now_ms)
        yield table.line(row[: len(columns)])
        for cell in row[len(columns) :]:
            if width is not None and cell.text != NOTHING:
                yield cut(f"  {cell.text}", width)


def _message_row(listing: Listing, message: Message, now_ms: int) -> list[Cell]:
    left_s = (listing.expires_at_ms(message) - now_ms) / 1000
    reasons = listing.reasons
    return [
        Cell(text=safe(message.message_id)),
        Cell(text=words.duration((now_ms - message.sent_at_ms) / 1000)),
        Cell(text=words.until(left_s), style=urgency(left_s)),
        Cell(text=f"{message.receive_count:,}"),
        Cell(text=source_name(message, listing.origins)),
        Cell(text=reason_text(reasons.get(message.message_id), reasons.state_of(message.message_id))),
        Cell(text=start_of(_body_text(message), _LONGEST_CELL)),
    ]


def urgency(left_s: float) -> str | None:
    """Return the colour of a time that is left; the time itself stands beside it."""
    return RED if left_s < _URGENT_S else YELLOW if left_s < _SOON_S else None


def source_name(message: Message, origins: Mapping[str, str]) -> str:
    """Return the name of the queue that a message died in: as SQS tells, else as the journal does.

    Else it is the service that put the message here, as far as the message tells, or nothing.
    """
    if message.source_arn:
        return safe(_name_of(message.source_arn))
    origin = origins.get(message.message_id)
    return f"{safe(_name_of(origin))} (journal)" if origin else origin_name(message) or NOTHING


def _body_text(message: Message) -> str:
    """Return the body, or where it lies when it is only a pointer."""
    pointer = s3_pointer_of(message)
    return pointer_text(pointer) if pointer else message.body


def _name_of(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def reason_text(reason: Reason | None, state: ReasonState | None) -> str:
    """Return why a message died, on one line; what is not known is nothing, and a note says why."""
    if reason is None:
        return NO_LOG_LINE if state is ReasonState.NOT_FOUND else NOTHING
    probably = "probably " if reason.evidence is Evidence.TIME else ""
    return probably + start_of(f"{reason.type}: {reason.message}", _LONGEST_CELL)


def listed_documents(listing: Listing) -> Iterator[dict[str, Any]]:
    """Yield the document of each message of a listing."""
    for each in listing.messages:
        yield message_document(
            each,
            expires_at_ms=listing.expires_at_ms(each),
            reason=listing.reasons.get(each.message_id),
            reason_state=listing.reasons.state_of(each.message_id),
        )
