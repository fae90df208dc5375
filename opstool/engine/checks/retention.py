"""Whether the messages live long enough to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.scene import Scene, SourceQueue, Unread
from opstool.engine.checks.timespan import spelled
from opstool.words.check import Check, Fix, Rule

LONGEST_S = 1_209_600
"""14 days: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
_DAY_MS = 86_400_000

RETENTION = Rule(
    code="dlq_retention_short",
    title="the DLQ keeps messages longer than its source queue",
    why="a standard queue counts a message's age from its first send, so one that died late arrives to expire at once",
)
EXPIRY = Rule(
    code="messages_expire_soon",
    title="no message expires within a day",
    why="SQS deletes a message at the end of its retention, without a word and without a copy",
)


def longer_than_source(scene: Scene) -> Iterator[Check]:
    """Compare the retention of a standard DLQ with that of each source; in FIFO queues the move starts it anew."""
    if scene.dlq.is_fifo:
        yield RETENTION.passed(scene.dlq.name, f"{spelled(scene.attributes.retention_s)}, counted from the move (FIFO)")
        return
    yield from scene.sources_unread(RETENTION)
    for source in scene.known_sources:
        found = f"{spelled(scene.attributes.retention_s)}; {source.queue.name} keeps them "
        found += spelled(source.attributes.retention_s)
        if scene.attributes.retention_s > source.attributes.retention_s:
            yield RETENTION.passed(scene.dlq.name, found)
        else:
            wanted = "more in the DLQ than in the source queue"
            yield RETENTION.failed(scene.dlq.name, found, wanted=wanted, fix=_longer(scene, source))


def _longer(scene: Scene, source: SourceQueue) -> Fix:
    """Raise the DLQ's retention; where the source's is SQS's longest already, there is only lowering that."""
    if source.attributes.retention_s < LONGEST_S:
        return queue_fix(
            scene.dlq, f"MessageRetentionPeriod: {LONGEST_S} # of the DLQ", MessageRetentionPeriod=str(LONGEST_S)
        )
    # Lowering can delete messages at once, so it is left to a person.
    return Fix(template=("MessageRetentionPeriod: 345600 # of the source queue: it deletes what is older",))


def expire_soon(scene: Scene) -> Iterator[Check]:
    """Tell whether a message that was looked at expires within a day."""
    expiry = scene.expiry
    if expiry is None:
        yield EXPIRY.skipped(scene.dlq.name, "no message was looked at: --expiry does, and adds 1 to receive counts")
    elif isinstance(expiry, Unread):
        yield EXPIRY.unknown(scene.dlq.name, expiry.reason)
    elif expiry.soonest_ms is None:
        yield EXPIRY.passed(scene.dlq.name, "there are no messages")
    else:
        left_s = max(0, expiry.soonest_ms - expiry.now_ms) // 1_000
        found = f"the first of those seen expires in {left_s // 3_600} h {left_s % 3_600 // 60} min"
        if expiry.soonest_ms - expiry.now_ms >= _DAY_MS:
            yield EXPIRY.passed(scene.dlq.name, found)
        else:
            yield EXPIRY.failed(scene.dlq.name, found, wanted="a day or more", fix=_keep(scene))


def _keep(scene: Scene) -> Fix:
    """Raise the retention, which holds for stored messages too; at SQS's longest, keep a copy outside."""
    if scene.attributes.retention_s < LONGEST_S:
        return queue_fix(
            scene.dlq, f"MessageRetentionPeriod: {LONGEST_S} # of the DLQ", MessageRetentionPeriod=str(LONGEST_S)
        )
    return Fix(commands=(("opstool", "dlq", "export", scene.dlq.arn, "--to-file", f"{scene.dlq.name}.jsonl.gz"),))
