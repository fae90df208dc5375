"""Work on any number of leases in SQS's batches of ten, several requests at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from opstool.doors.sqs import MAX_BATCH_ENTRIES

_REQUESTS_AT_ONCE = 8
"""Even at 80 ms a request they extend a thousand messages in a second, which the leases of lease.py reckon with."""

Each = TypeVar("Each")


def each_batch(action: Callable[[list[Each]], None], all_of_them: Sequence[Each], *, at_once: int = 0) -> None:
    """Carry out `action` on every batch, `at_once` of them at a time, or a few where that is less."""
    starts = iter(range(0, len(all_of_them), MAX_BATCH_ENTRIES))
    threads = min(max(_REQUESTS_AT_ONCE, at_once), -(-len(all_of_them) // MAX_BATCH_ENTRIES))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                start = next(starts, None)
            if start is None:
                return
            action(list(all_of_them[start : start + MAX_BATCH_ENTRIES]))

    if threads <= 1:
        work()
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="opstool-leases") as pool:
        for each in [pool.submit(work) for _ in range(threads)]:
            each.result()
