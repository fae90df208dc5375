"""Whether the DLQ says which queues may use it."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.scene import Scene, Unread
from opstool.words.check import Check, Fix, Rule

_MOST_NAMED = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

OPEN = Rule(
    code="redrive_allow_open",
    title="the DLQ names the queues that may use it",
    why="any queue of the account may otherwise mix its dead messages into these, and a redrive then meets both",
)
BLOCKS = Rule(
    code="redrive_allow_blocks",
    title="the DLQ allows each of its sources",
    why="SQS refuses a redrive policy that the DLQ does not allow, so the next deployment of the source queue fails",
)


def named(scene: Scene) -> Iterator[Check]:
    """Check that the redrive allow policy names queues."""
    policy, name = scene.attributes.redrive_allow_policy, scene.dlq.name
    if policy and policy.permission != "allowAll":
        yield OPEN.passed(name, f"{policy.permission}, {len(policy.source_arns)} named")
    elif isinstance(scene.sources, Unread):
        yield OPEN.unknown(name, scene.sources.reason)
    elif len(scene.sources) > _MOST_NAMED:
        yield OPEN.passed(name, f"allowAll: it has {len(scene.sources)} sources, and {_MOST_NAMED} can be named")
    else:
        found = "allowAll" if policy else "no redrive allow policy, which allows every queue"
        yield OPEN.failed(name, found, wanted="byQueue, with the ARN of each source queue", fix=_by_queue(scene))


def allowed(scene: Scene) -> Iterator[Check]:
    """Check that the redrive allow policy does not shut out a source."""
    policy, name = scene.attributes.redrive_allow_policy, scene.dlq.name
    if isinstance(scene.sources, Unread):
        yield BLOCKS.unknown(name, scene.sources.reason)
        return
    open_to_all = policy is None or policy.permission == "allowAll"
    listed = policy.source_arns if policy else ()
    out = [] if open_to_all else [each.queue.name for each in scene.sources if each.queue.arn not in listed]
    if not out:
        yield BLOCKS.passed(name, "every source is allowed")
        return
    found = f"{policy.permission if policy else ''}, and {', '.join(out)} uses it"
    yield BLOCKS.failed(name, found, wanted="byQueue, with the ARN of each source queue", fix=_by_queue(scene))


def _by_queue(scene: Scene) -> Fix:
    arns = [each.queue.arn for each in scene.known_sources][:_MOST_NAMED]
    template = ("RedriveAllowPolicy: # of the DLQ", "  redrivePermission: byQueue", "  sourceQueueArns:")
    lines = (*template, *(f"    - {arn}" for arn in arns))
    if not arns:
        return Fix(template=(*template, "    - ARN of the source queue"))
    return queue_fix(scene.dlq, *lines, RedriveAllowPolicy={"redrivePermission": "byQueue", "sourceQueueArns": arns})
