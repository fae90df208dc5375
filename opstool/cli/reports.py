"""The report that ends a list in JSON Lines: the same keys as the report of a run."""

from __future__ import annotations

from typing import Any

from opstool.verbs.browse import Listing
from opstool.words.report import Counts, Failure, Report, Status


def look_report(
    verb: str, *, requests: int, queue: str | None = None, listing: Listing | None = None, partial: bool = False
) -> dict[str, Any]:
    """Return the report document of a command that only looked."""
    missing = listing.missing_ids if listing else ()
    report = Report(
        run_id=None,
        verb=verb,
        queue=queue or "",
        target=None,
        status=Status.PARTIAL if partial else Status.DONE,
        counts=listing.counts if listing else Counts(),
        requests=requests,
        failures=(Failure(code="id_not_found", message="no message with this id was seen", message_ids=missing),)
        if missing
        else (),
        notes=listing.notes if listing else (),
    )
    return {**report.document(), "queue": queue}
