"""Look through the dead-letter queue behind a destination once, for what came back to it."""

from __future__ import annotations

from dataclasses import replace

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.following.destination import Destination
from opstool.engine.following.returns import Returns
from opstool.engine.hold import Hold
from opstool.engine.scan import Scan
from opstool.words.message import Message
from opstool.words.report import Outcome


def search(kit: Toolkit, destination: Destination, returns: Returns, *, at_most: int) -> bool:
    """Receive everything there until `at_most` of ours are found; return whether all of it could be seen.

    It adds 1 to the receive count of what it meets, like any look. Raises what the doors raise.
    """
    if destination.dlq_arn is None:
        return True
    sqs = destination.sqs
    kit = replace(kit, sqs=sqs)
    queue = sqs.resolve(destination.dlq_arn)
    attributes = sqs.attributes(queue)
    place = DeadLetterQueue(queue=queue, attributes=attributes, sources=())

    def decide(message: Message) -> Outcome | None:
        return None if returns.is_return(message, keeps_sent_at=not queue.is_fifo) else Outcome.SKIPPED

    with Hold(kit, place, exclusive=False) as hold:
        scan = Scan(
            leases=hold.leases,
            tally=hold.tally,
            decide=decide,
            settle=lambda _: None,
            clock=kit.clock,
            stop=kit.stop,
            end=hold.end,
            workers=hold.workers,
            limit=at_most,
        )
        with kit.watch("looking for what came back", hold.tally, attributes.depth):
            scan.run()
        # Of a FIFO queue's group only the first are shown; the others of ours may stand behind them.
        hidden = queue.is_fifo and hold.tally.counts().received < attributes.depth + attributes.in_flight
        return not scan.bounded and not hidden and not kit.stop.is_set()
