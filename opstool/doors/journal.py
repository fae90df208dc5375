"""The memory of what was sent: written before each act that it makes safe to repeat.

A message goes through three states, keyed by where it came from (`origin`: a queue's ARN, or an archive and its
target) and its id there:

    intent     committed before the send: a worker that cannot write it does not send
    sent       committed before the delete, with the id the copy was given
    settled    the original is gone; written with the next commit, because losing it costs one needless delete

What is committed survives a power cut (database.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from opstool.doors.changes import BEYOND_INTENT, MAYBE_TWICE, UNSETTLED, Only
from opstool.doors.claim import decide
from opstool.doors.clock import Clock
from opstool.doors.journaltables import copy_of
from opstool.doors.runs import Runs
from opstool.words.fate import Copy
from opstool.words.message import Message
from opstool.words.record import Claim, Move

T = TypeVar("T")
_LOOKS_EVERY_S = 1.0
"""How old what is known of other processes' sends may be; a message dies later than it is sent."""


class Journal(Runs):
    """The journal of one state directory; thread-safe. Every method raises StorageError when the disk says no."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path, clock)
        self._looked_at = 0.0

    def moves(self, run_id: str) -> Iterator[Move]:
        """Return every message that a run has sent or meant to send."""
        found = self._find(_itself, "run_id", run_id)
        return iter(sorted(found, key=lambda move: move.intent_at_ms))

    def claim(
        self,
        run_id: str,
        origin: str,
        messages: Sequence[Message],
        *,
        suffices: Callable[[str, str], bool] = lambda _id, _target: True,
    ) -> dict[str, tuple[Claim, int]]:
        """Write the intent to send these messages; return, by id, the claim and since when its repeats are recognised.

        FRESH: send it. ALREADY_SENT: its copy was confirmed before, in a target that `suffices` (asked with id and
        target); delete it, never send it. UNCERTAIN: an intent stands from before and its answer was never seen; the
        time is that of the first intent, 0 when that was another run's. Only FRESH and UNCERTAIN become this run's.
        """
        now_ms = int(self._clock.wall() * 1000)
        wanted = [(message.message_id, message.body_sha256, message.source_arn) for message in messages]

        def write(database: sqlite3.Connection) -> dict[str, tuple[Claim, int]]:
            known = self._tail.entries(database, origin, [each[0] for each in wanted])
            claims = {}
            fresh: dict[str | None, list[tuple[str, str]]] = {}
            uncertain: list[str] = []
            for record_id, sha256, source_arn in wanted:
                claim, since_ms = decide(known[record_id], sha256, record_id, run_id, suffices)
                if claim is Claim.FRESH:
                    fresh.setdefault(source_arn, []).append((record_id, sha256))
                elif claim is Claim.UNCERTAIN:
                    uncertain.append(record_id)
                claims[record_id] = claim, now_ms if since_ms is None else since_ms
            for source_arn, items in fresh.items():
                self._tail.change(database, "claimed", origin, [run_id, now_ms, source_arn], items)
            self._tail.change(database, "doubted", origin, [run_id, now_ms], uncertain)
            return claims

        subject = (origin, [each[0] for each in wanted])
        claims: dict[str, tuple[Claim, int]] = self._database.commit(write, subject)
        return claims

    def withdraw(self, origin: str, record_ids: Iterable[str]) -> None:
        """Take back intents whose send was certainly not carried out; an uncertain one stays."""
        self._change("withdrawn", origin, record_ids)

    def note_unknown(self, origin: str, record_ids: Iterable[str]) -> None:
        """Write that a send of these messages got no answer, before anything else is done with them."""
        self._change("unanswered", origin, record_ids)

    def note_resent(self, origin: str, record_ids: Iterable[str]) -> None:
        """Write that these are about to be sent although an earlier send may have been accepted."""
        self._change("resent", origin, record_ids)

    def confirm(self, origin: str, confirmed: Iterable[tuple[str, str | None, str]]) -> None:
        """Write (record id, new id, target) of copies that were confirmed, before their originals are deleted."""
        now_ms = int(self._clock.wall() * 1000)
        by_target: dict[str, list[tuple[str, str | None]]] = {}
        for record_id, new_id, target in confirmed:
            by_target.setdefault(target, []).append((record_id, new_id))

        def write(database: sqlite3.Connection) -> None:
            for target, items in by_target.items():
                self._tail.change(database, "confirmed", origin, [now_ms, target], items)

        if by_target:
            self._database.commit(write)

    def settle(self, origin: str, record_ids: Iterable[str]) -> None:
        """Note that originals are gone; written with the next commit, nobody waits for it."""
        head, items = [int(self._clock.wall() * 1000)], list(record_ids)
        self._database.later(lambda database: self._tail.change(database, "settled", origin, head, items))

    def unsettled(self, origin: str) -> list[Move]:
        """Return the messages of any run that were meant to be sent, or sent, and not yet deleted."""
        self._database.commit(lambda _: None)
        return self._find(_itself, "origin", origin, only=UNSETTLED)

    def sent_from(self, origin: str) -> set[str]:
        """Return the record ids of everything that any run has sent from there, its originals deleted or not."""
        return set(self._find(lambda move: move.record_id, "origin", origin, only=BEYOND_INTENT))

    def sent_by(self, run_id: str) -> set[str]:
        """Return the new ids of everything that a run has sent."""
        return {new_id for new_id in self._find(lambda move: move.new_id, "run_id", run_id) if new_id is not None}

    def copies(self, run_id: str) -> list[Copy]:
        """Return what a run has sent and what was confirmed."""
        return [copy_of(move) for move in self._find(_itself, "run_id", run_id) if move.new_id is not None]

    def possibly_sent_twice(self, run_id: str) -> tuple[str, ...]:
        """Return the ids of the messages that a run has sent again after an answer was lost, crashes included."""
        return tuple(self._find(lambda move: move.record_id, "run_id", run_id, only=MAYBE_TWICE))

    def origin_of(self, new_id: str) -> Move | None:
        """Return the move that sent a message with this id: where it came from."""
        return None if self._never_sent(new_id) else next(iter(self._find(_itself, "new_id", new_id)), None)

    def sources_of(self, new_ids: Iterable[str]) -> dict[str, str]:
        """Return, by the id that a message has now, the ARN of the queue that it died in before it was sent again."""
        ids = [each for each in new_ids if not self._never_sent(each)]
        found = self._find(lambda move: (move.new_id, move.source_arn), "new_id", *ids) if ids else []
        return {new_id: source_arn for new_id, source_arn in found if new_id and source_arn is not None}

    def _never_sent(self, new_id: str) -> bool:
        """Tell that no run has sent a message under this id; what other processes send is seen a second later."""
        sent_ids, now = self._tail.sent_ids, self._clock.monotonic()
        if not sent_ids.is_read:
            if sent_ids.is_due():
                self._database.read(self._tail.read_sent_ids)
                self._looked_at = now
        elif now - self._looked_at >= _LOOKS_EVERY_S:
            self._database.read(lambda _: None)
            self._looked_at = now
        return sent_ids.is_none_of_ours(new_id)

    def _change(self, name: str, origin: str, changed: Iterable[Any]) -> None:
        items = list(changed)
        if items:
            head = [int(self._clock.wall() * 1000)]
            self._database.commit(lambda database: self._tail.change(database, name, origin, head, items))

    def _find(self, take: Callable[[Move], T], column: str, *values: str, only: Only | None = None) -> list[T]:
        return self._database.read(lambda database: self._tail.find(database, take, column, *values, only=only))


def _itself(move: Move) -> Move:
    return move
