"""What one invocation has in its hands of a queue: the right to change it, the leases, and the count of what it saw."""

from __future__ import annotations

from opstool.doors.locking import RunLock
from opstool.doors.sqs import MAX_BATCH_ENTRIES
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.endofqueue import EMPTY_RECEIVES_TO_END, EndOfQueue
from opstool.engine.leases import Leases
from opstool.words.closing import Closing
from opstool.words.queue import QueueAttributes
from opstool.words.report import Tally


class Hold(Closing):
    """Hold a queue until closed; `exclusive` keeps every other run of this state directory away from it.

    Raises RefusedError when another run has it.
    """

    def __init__(self, kit: Toolkit, dlq: DeadLetterQueue, *, exclusive: bool) -> None:
        queue = dlq.queue
        self._lock = RunLock(kit.state_dir, queue.arn) if exclusive else None
        self.tally = Tally()
        self.end = EndOfQueue(kit.clock, began_ms=kit.sqs.now_ms())
        # One worker on a FIFO queue: AWS hands out a group to one receiver at a time, but not every emulator does,
        # and order is worth more than speed there.
        self.workers = 1 if queue.is_fifo else min(kit.workers, _useful_workers(dlq.attributes))
        self.leases = Leases(sqs=kit.sqs, queue=queue, clock=kit.clock, lease_s=kit.lease_s, at_once=self.workers)
        self.requests_before = kit.spent()

    def close(self) -> None:
        """Release what is held, then let others in: in this order the next run finds everything visible."""
        try:
            self.leases.close()
        finally:
            if self._lock:
                self._lock.release()
                self._lock = None


def _useful_workers(attributes: QueueAttributes) -> int:
    """Return how many workers can find something to do; three end a scan of an empty queue in one long poll."""
    expected = attributes.depth + attributes.in_flight
    return max(EMPTY_RECEIVES_TO_END, expected // MAX_BATCH_ENTRIES)
