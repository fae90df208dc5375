"""What our holding of messages has disturbed and could not put right: what a report has to say of it."""

from __future__ import annotations

from collections.abc import Iterable

from opstool.doors.clock import Clock
from opstool.words.errors import OpstoolError

_LEFT_ALONE = "they were left alone until they were received again"


class Leftovers:
    """Gathers it while the leases of one queue are held; its owner sees to it that one thread writes at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unreleased = 0
        self._hidden_until = clock.monotonic()
        self._lapsed: set[str] = set()
        self._refusal: OpstoolError | None = None

    def not_released(self, messages: int) -> None:
        """Note that so many messages could not be shown again."""
        self._unreleased += messages

    def not_extended(self, error: OpstoolError) -> None:
        """Note why leases were not extended."""
        self._refusal = error

    def lapsed(self, message_ids: Iterable[str]) -> None:
        """Note messages whose lease ended before their turn."""
        self._lapsed.update(message_ids)

    def may_be_hidden(self, seconds: float) -> None:
        """Note that messages we do not hold may be hidden by us all the same, for so long from now."""
        self._hidden_until = self._clock.monotonic() + seconds

    def notes(self, longest_s: int) -> tuple[str, ...]:
        """Return it as sentences for people; no lease was longer than `longest_s`."""
        notes = []
        if self._unreleased:
            notes.append(
                f"{self._unreleased} messages could not be released: they stay hidden for up to {longest_s} s more"
            )
        if self._clock.monotonic() < self._hidden_until:
            notes.append(f"an answer was lost or late: some messages may stay hidden for up to {longest_s} s more")
        if self._lapsed:
            why = f" (it was not extended: {self._refusal.message})" if self._refusal else ""
            notes.append(f"our hold on {len(self._lapsed)} messages ended before their turn{why}: {_LEFT_ALONE}")
        return tuple(notes)
