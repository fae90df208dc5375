"""Whether messages die when they should, and into the right queue."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.scene import Scene, SourceQueue, Unread
from opstool.words.check import Check, Fix, Rule
from opstool.words.iam.policy import statements

FEWEST_RECEIVES = 3
ADVISED_RECEIVES = 5
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

RECEIVES = Rule(
    code="max_receive_count_low",
    title="a message is tried several times before it dies",
    why="each throttled or timed out batch counts as a receive of every message in it, healthy ones too",
)
USED = Rule(
    code="dlq_unused",
    title="some queue sends its dead messages here",
    why="a DLQ that no redrive policy points to gets nothing from SQS: messages are tried until they expire",
)
ENDS = Rule(
    code="dlq_redrives_on",
    title="the DLQ has no redrive policy of its own",
    why="whoever looks at a message receives it, and that policy then moves the message on to yet another queue",
)
TYPE = Rule(
    code="dlq_type_differs",
    title="DLQ and source queue are both standard or both FIFO",
    why="SQS moves messages only between queues of one type, so the source queue's dead messages stay in it",
)
PLACE = Rule(
    code="dlq_elsewhere",
    title="DLQ and source queue are in one account and region",
    why="a queue elsewhere is not found by the tools that look from here, and SQS advises to keep them together",
)


def receives(scene: Scene) -> Iterator[Check]:
    """Check each source's maxReceiveCount."""
    yield from scene.sources_unread(RECEIVES)
    for source in scene.known_sources:
        count = source.max_receive_count
        if count is None:
            continue
        if count >= FEWEST_RECEIVES:
            yield RECEIVES.passed(source.queue.name, f"maxReceiveCount {count}")
        else:
            wanted = f"at least {FEWEST_RECEIVES}; the Lambda guide advises {ADVISED_RECEIVES}"
            yield RECEIVES.failed(source.queue.name, _too_few(count), wanted=wanted, fix=_more(scene, source))


def _too_few(count: int) -> str:
    meaning = {1: "a message dies of its first failure", 2: "a message dies of one failure and one bad moment"}
    return f"maxReceiveCount {count}: {meaning.get(count, 'a message is not tried at all')}"


def _more(scene: Scene, source: SourceQueue) -> Fix:
    return queue_fix(
        source.queue,
        f"RedrivePolicy: {{maxReceiveCount: {ADVISED_RECEIVES}}} # of the source queue, beside deadLetterTargetArn",
        RedrivePolicy={"deadLetterTargetArn": scene.dlq.arn, "maxReceiveCount": str(ADVISED_RECEIVES)},
    )


def used(scene: Scene) -> Iterator[Check]:
    """Tell whether anybody's dead messages arrive: a redrive policy's, or those of a service that the policy names."""
    name = scene.dlq.name
    if isinstance(scene.sources, Unread):
        yield USED.unknown(name, scene.sources.reason)
    elif scene.sources:
        yield USED.passed(name, f"by {', '.join(each.queue.name for each in scene.sources)}")
    elif services := sorted(each for one in statements(scene.attributes.policy) for each in one.services if one.allows):
        yield USED.passed(name, f"its policy lets {', '.join(services)} send here")
    else:
        fix = Fix(template=("RedrivePolicy: # of the source queue", f"  deadLetterTargetArn: {scene.dlq.arn}"))
        yield USED.failed(name, "no redrive policy points to it", wanted="a source queue", fix=fix)


def ends(scene: Scene) -> Iterator[Check]:
    """Check that messages stay in the DLQ."""
    policy = scene.attributes.redrive_policy
    if policy is None:
        yield ENDS.passed(scene.dlq.name, "it has none")
        return
    onward = policy.dlq_arn.rsplit(":", 1)[-1]
    found = f"to {onward} after {policy.max_receive_count} receives"
    fix = queue_fix(scene.dlq, "# the DLQ: take its RedrivePolicy away", RedrivePolicy="")
    yield ENDS.failed(scene.dlq.name, found, wanted="no redrive policy", fix=fix)


def same_type(scene: Scene) -> Iterator[Check]:
    """Compare the types of the DLQ and each source."""
    yield from scene.sources_unread(TYPE)
    for source in scene.known_sources:
        found = f"the DLQ is {_type(scene.dlq.is_fifo)}, {source.queue.name} is {_type(source.queue.is_fifo)}"
        if scene.dlq.is_fifo == source.queue.is_fifo:
            yield TYPE.passed(scene.dlq.name, found)
        else:
            fix = Fix(template=(f"FifoQueue: {'true' if source.queue.is_fifo else 'false'} # of a new DLQ",))
            yield TYPE.failed(scene.dlq.name, found, wanted="one type", fix=fix)


def _type(is_fifo: bool) -> str:
    return "FIFO" if is_fifo else "standard"


def same_place(scene: Scene) -> Iterator[Check]:
    """Compare account and region of the DLQ and each source."""
    yield from scene.sources_unread(PLACE)
    here = (scene.dlq.account, scene.dlq.region)
    for source in scene.known_sources:
        there = (source.queue.account, source.queue.region)
        found = f"the DLQ is in {' '.join(here)}, {source.queue.name} in {' '.join(there)}"
        if here == there:
            yield PLACE.passed(scene.dlq.name, f"both in {' '.join(here)}")
        else:
            fix = Fix(template=("# a DLQ in the account and region of the source queue",))
            yield PLACE.failed(scene.dlq.name, found, wanted="one account and region", fix=fix)
