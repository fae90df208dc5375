"""What one invocation has in its hands of a queue: the right to change it, the leases, and the count of what it saw."""

from __future__ import annotations

from opstool.doors.locking import RunLock
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.endofqueue import EndOfQueue
from opstool.engine.leases import Leases
from opstool.engine.workers import workers_for
from opstool.words.closing import Closing
from opstool.words.report import Tally


class Hold(Closing):
    """Hold a queue until closed; `exclusive` keeps every other run of this state directory away from it.

    Raises RefusedError when another run has it.
    """

    def __init__(self, kit: Toolkit, dlq: DeadLetterQueue, *, exclusive: bool) -> None:
        queue, attributes = dlq.queue, dlq.attributes
        self._lock = RunLock(kit.state_dir, queue.arn) if exclusive else None
        self.tally = Tally()
        self.end = EndOfQueue(kit.clock, began_ms=kit.sqs.now_ms())
        # One worker on a FIFO queue: AWS hands out a group to one receiver at a time, but not every emulator does,
        # and order is worth more than speed there.
        self.workers = 1 if queue.is_fifo else workers_for(attributes.depth + attributes.in_flight, kit.workers)
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
