"""The report that ends a list in JSON Lines: the same keys as the report of a run."""

from __future__ import annotations

from typing import Any, Protocol

from opstool.words.report import Counts, Failure, Report, Status


class Looked(Protocol):
    """What a look found, as far as its report tells."""

    @property
    def counts(self) -> Counts:
        """Return what became of the messages."""

    @property
    def missing_ids(self) -> tuple[str, ...]:
        """Return the ids that were named and not seen."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return sentences for people."""


def look_report(
    verb: str, *, requests: int, queue: str | None = None, looked: Looked | None = None, partial: bool = False
) -> dict[str, Any]:
    """Return the report document of a command that only looked."""
    missing = looked.missing_ids if looked else ()
    report = Report(
        run_id=None,
        verb=verb,
        queue=queue or "",
        target=None,
        status=Status.PARTIAL if partial else Status.DONE,
        counts=looked.counts if looked else Counts(),
        requests=requests,
        failures=(Failure(code="id_not_found", message="no message with this id was seen", message_ids=missing),)
        if missing
        else (),
        notes=looked.notes if looked else (),
    )
    return {**report.document(), "queue": queue}
