"""Work on any number of leases in SQS's batches of ten, several requests at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from opstool.doors.sqs import MAX_BATCH_ENTRIES

_REQUESTS_AT_ONCE = 8
"""Even at 80 ms a request they extend a thousand messages in a second, which the leases of lease.py reckon with."""

Each = TypeVar("Each")


def each_batch(action: Callable[[list[Each]], None], all_of_them: Iterable[Each]) -> None:
    """Carry out `action` on every batch, several at once."""
    batches = list(_batches(all_of_them))
    if len(batches) == 1:
        action(batches[0])
    elif batches:
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="opstool-leases") as pool:
            list(pool.map(action, batches))


def _batches(all_of_them: Iterable[Each]) -> Iterator[list[Each]]:
    iterator = iter(all_of_them)
    while batch := list(islice(iterator, MAX_BATCH_ENTRIES)):
        yield batch
