"""Follow a message back through the journal: which runs have sent it before, and in which queue it had died.

The journal is only read here, and never begun: where there is none, nothing was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from opstool.doors.journal import Journal
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import NotFoundError, StorageError
from opstool.words.lineage import Lineage, Passage
from opstool.words.message import Message
from opstool.words.record import Move

_MOST_PASSAGES = 50
"""Steps back that are followed; more than anybody reads, and an end where ids of a hostile archive make a long way."""
_NEVER_SENT = Lineage()
_ARCHIVE = re.compile(r"archive:(?P<id>[^>]*)>")
_RECORD = re.compile(r"(?:line-\d+|(?P<id>.*)):[0-9a-f]{16}", re.DOTALL)
"""A record of an archive (doors/archive/line.py): the message's id there, if it had one, and what it held."""


def lineage_of(kit: Toolkit, message_id: str, *, queue_arn: str) -> Lineage:
    """Return how a message came into the queue in which it lies; a journal that cannot be read is a note, no error."""
    try:
        journal = kit.journal_if_begun()
        if journal is None:
            return _NEVER_SENT
        newest = journal.origin_of(message_id)
        if newest is None:
            return _NEVER_SENT
        passages = tuple(_passages(journal, message_id))
    except StorageError as error:
        return Lineage(known=False, note=f"whether this message was sent before is not known: {error.message}")
    return Lineage(
        passages=passages,
        returned=sum(each.target_arn != queue_arn for each in passages),
        origin_arn=newest.source_arn,
    )


def origins_of(kit: Toolkit, messages: Iterable[Message]) -> tuple[Mapping[str, str], str | None]:
    """Return the source ARNs, by message id, that the journal knows and SQS does not tell; and a note, if it is shut.

    SQS tells nothing of a message that came back by an import.
    """
    untold = [each.message_id for each in messages if each.source_arn is None]
    if not untold:
        return {}, None
    try:
        journal = kit.journal_if_begun()
        return (journal.sources_of(untold) if journal else {}), None
    except StorageError as error:
        return {}, f"the journal was not asked which queue a message died in: {error.message}"


class Origins:
    """Gives messages the source queue that the journal knows and SQS does not tell, so that filters and groups see it.

    Safe to use from many threads. `note` says why the journal could not be asked, once it could not.
    """

    def __init__(self, kit: Toolkit) -> None:
        self.note: str | None = None
        self._kit = kit

    def known(self, message: Message) -> Message:
        """Return the message, with its source queue if any is known."""
        if message.source_arn is not None or self.note is not None:
            return message
        found, self.note = origins_of(self._kit, [message])
        origin = found.get(message.message_id)
        return replace(message, source_arn=origin) if origin else message


def _passages(journal: Journal, message_id: str) -> Iterator[Passage]:
    """Yield the passages back from a message, newest first; ids that lead in a circle end it."""
    verbs: dict[str, str | None] = {}
    current: str | None = message_id
    met: set[str] = set()
    while current and current not in met and len(met) < _MOST_PASSAGES:
        met.add(current)
        move = journal.origin_of(current)
        if move is None:
            return
        archive = _ARCHIVE.match(move.origin)
        if not archive and not move.origin.startswith("arn:"):  # a message that opstool itself has made
            return
        if move.run_id not in verbs:
            verbs[move.run_id] = _verb_of(journal, move.run_id)
        current = _earlier_id(move) if archive else move.record_id
        yield Passage(
            message_id=current,
            run_id=move.run_id,
            verb=verbs[move.run_id],
            at_ms=move.intent_at_ms,
            target_arn=move.target,
            archive=archive["id"] if archive else None,
        )


def _earlier_id(move: Move) -> str | None:
    """Return the message's id in the archive, None when its line had none."""
    record = _RECORD.fullmatch(move.record_id)
    return record["id"] if record else move.record_id


def _verb_of(journal: Journal, run_id: str) -> str | None:
    try:
        return journal.run(run_id).verb
    except NotFoundError:
        return None
