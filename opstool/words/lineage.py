"""Where a message came from before it lay here: each time it was sent again, under a new id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """One time a message was sent again: by which run, when (epoch ms), and the id that it had before.

    `verb` is None when the run itself is forgotten. `archive` is the id of the archive that the message was read from,
    None when it came from a queue; a line from elsewhere may have had no message id.
    """

    message_id: str | None
    run_id: str
    verb: str | None
    at_ms: int
    target_arn: str | None
    archive: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """The passages of one message, newest first, as far as one journal knows.

    `returned` counts those after which it died again: all but the imports straight into the queue where it lies.
    `origin_arn` is the queue in which it had died before it was last sent. `known` is false when the journal could
    not be read, and `note` says why, for people.
    """

    passages: tuple[Passage, ...] = ()
    returned: int = 0
    origin_arn: str | None = None
    known: bool = True
    note: str | None = None
