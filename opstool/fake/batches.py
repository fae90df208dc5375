"""A batch request: its own rules, and then each entry on its own.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opstool.fake.faults import EntryFault
from opstool.fake.refusal import RefusalError

MAX_ENTRIES = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Entry = Mapping[str, Any]


def check_entries(operation: str, entries: Sequence[Entry]) -> None:
    """Refuse the whole request for the number of its entries, or for their ids."""
    if not entries:
        raise RefusalError("EmptyBatchRequest", f"There should be at least one {operation}RequestEntry in the request.")
    if len(entries) > MAX_ENTRIES:
        raise RefusalError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MAX_ENTRIES}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        entry_id = entry["Id"]
        if not _ENTRY_ID.fullmatch(entry_id):
            raise RefusalError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        if entry_id in seen:
            raise RefusalError("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")
        seen.add(entry_id)


def each_entry(
    entries: Sequence[Entry], refused: Mapping[str, EntryFault], act: Callable[[Entry], dict[str, Any]]
) -> dict[str, Any]:
    """Carry out every entry that is not refused; return who succeeded and who failed, as boto3 shows them."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        fault = refused.get(entry["Id"])
        if fault is None:
            try:
                successful.append({"Id": entry["Id"], **act(entry)})
                continue
            except RefusalError as refusal:
                fault = EntryFault(code=refusal.code, message=refusal.text, sender_fault=True)
        failed.append(
            {"Id": entry["Id"], "SenderFault": fault.sender_fault, "Code": fault.code, "Message": fault.message}
        )
    return {name: found for name, found in (("Successful", successful), ("Failed", failed)) if found}
