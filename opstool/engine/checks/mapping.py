"""Whether a function takes the messages, and what becomes of those it did not mean to take.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import update_mapping
from opstool.engine.checks.scene import Scene, SourceQueue, Unread
from opstool.words.check import Check, Fix, Rule
from opstool.words.function import PARTIAL_RESPONSES, EventSourceMapping, Function

CONSUMED = Rule(
    code="consumer_missing",
    title="something consumes the source queue",
    why="messages that nobody takes wait until they expire; they do not even die",
)
ENABLED = Rule(
    code="consumer_disabled",
    title="the event source mapping is enabled",
    why="a pause that was forgotten looks like a quiet day",
)
SINGLE = Rule(
    code="several_consumers",
    title="one event source mapping takes from the source queue",
    why="each message goes to one of them, by chance; a message that one filters out is deleted for the others too",
)
PARTIAL = Rule(
    code="partial_responses_off",
    title="the function says which messages of a batch failed",
    why="without it one failure brings the whole batch back, and whoever swallows the failure has all of it deleted",
)
FILTERS = Rule(
    code="filter_deletes",
    title="no filter deletes messages",
    why="a message that does not match the FilterCriteria of an SQS mapping is deleted, and never reaches the DLQ",
)
ALONE = Rule(
    code="dlq_has_consumer",
    title="no function takes from the DLQ",
    why="it takes the messages away from whoever wants to look at them, and fails on them again",
)


def consumed(scene: Scene) -> Iterator[Check]:
    """Check that each source has an event source mapping to a function that exists; other consumers cannot be seen."""
    yield from scene.sources_unread(CONSUMED)
    for source in scene.known_sources:
        yield _consumed(scene, source)


def _consumed(scene: Scene, source: SourceQueue) -> Check:
    name = source.queue.name
    if isinstance(source.mappings, Unread):
        return CONSUMED.unknown(name, source.mappings.reason)
    gone = [each.function_name for each in source.mappings if _is_gone(scene, each)]
    if gone:
        found = f"its event source mapping feeds the function {', '.join(gone)}, which does not exist"
        return CONSUMED.failed(name, found, wanted="a function that exists", fix=_map(source))
    if source.mappings:
        return CONSUMED.passed(name, f"by {', '.join(each.function_name for each in source.mappings)}")
    if source.attributes.depth and not source.attributes.in_flight:
        found = (
            f"no event source mapping, approximately {source.attributes.depth:,} messages wait, and none is in flight"
        )
        return CONSUMED.failed(name, found, wanted="a consumer", fix=_map(source))
    return CONSUMED.asked(name, "it has no event source mapping: does something other than Lambda consume it?")


def _is_gone(scene: Scene, mapping: EventSourceMapping) -> bool:
    function = scene.functions.get(mapping.function_arn)
    return isinstance(function, Unread) and function.is_missing


def _map(source: SourceQueue) -> Fix:
    return Fix(
        template=(
            "Events: # of the function",
            "  Messages:",
            "    Type: SQS",
            f"    Properties: {{Queue: {source.queue.arn}, FunctionResponseTypes: [{PARTIAL_RESPONSES}]}}",
        )
    )


def enabled(scene: Scene) -> Iterator[Check]:
    """Check that each mapping hands messages out."""
    yield from (ENABLED.unknown(*gap) for gap in scene.gaps())
    for source, mapping, _ in scene.consumers():
        subject = _subject(source, mapping)
        if mapping.is_enabled is None:
            yield ENABLED.unknown(subject, f"its state is {mapping.state}: look again when it is at rest")
        elif mapping.is_enabled:
            yield ENABLED.passed(subject, mapping.state)
        else:
            fix = Fix(commands=(update_mapping(mapping.uuid, "--enabled"),), template=("Enabled: true # of the event",))
            yield ENABLED.failed(subject, mapping.state, wanted="Enabled", fix=fix)


def single(scene: Scene) -> Iterator[Check]:
    """Check that the messages of a source do not go to several functions by chance."""
    yield from (SINGLE.unknown(*gap) for gap in scene.gaps())
    for source in scene.known_sources:
        active = [each for each in source.known_mappings if each.is_enabled is not False]
        names = ", ".join(sorted(each.function_name for each in active))
        if len(active) > 1:
            fix = Fix(template=("# one event source mapping; a topic and a queue for each function gives all to all",))
            found = f"{len(active)} mappings: {names}"
            yield SINGLE.failed(source.queue.name, found, wanted="one", fix=fix)
        elif active:
            yield SINGLE.passed(source.queue.name, names)


def partial_responses(scene: Scene) -> Iterator[Check]:
    """Check that a batch of several messages is answered message by message."""
    yield from (PARTIAL.unknown(*gap) for gap in scene.gaps())
    for source, mapping, _ in scene.consumers():
        subject = _subject(source, mapping)
        if mapping.reports_item_failures:
            yield PARTIAL.passed(subject, PARTIAL_RESPONSES)
        elif mapping.batch_size == 1:
            yield PARTIAL.passed(subject, "a batch is one message")
        else:
            fix = Fix(
                commands=(update_mapping(mapping.uuid, "--function-response-types", PARTIAL_RESPONSES),),
                template=(f"FunctionResponseTypes: [{PARTIAL_RESPONSES}] # of the event; the function must answer so",),
            )
            found = f"off, with batches of up to {mapping.batch_size:,}"
            yield PARTIAL.failed(subject, found, wanted=PARTIAL_RESPONSES, fix=fix)


def filters(scene: Scene) -> Iterator[Check]:
    """Check that no filter deletes what it does not match."""
    yield from (FILTERS.unknown(*gap) for gap in scene.gaps())
    for source, mapping, _ in scene.consumers():
        subject = _subject(source, mapping)
        if not mapping.filters:
            yield FILTERS.passed(subject, "no filter")
            continue
        # Without the filter the function gets what it never saw: no command, a person decides.
        fix = Fix(
            template=("# the event: take FilterCriteria away, and let the function ignore what it does not want",)
        )
        found = f"{len(mapping.filters)} filter{'s'[: len(mapping.filters) > 1]}: {', '.join(mapping.filters)}"
        yield FILTERS.failed(subject, found, wanted="none", fix=fix)


def dlq_alone(scene: Scene) -> Iterator[Check]:
    """Check that nothing consumes the DLQ."""
    if isinstance(scene.dlq_mappings, Unread):
        yield ALONE.unknown(scene.dlq.name, scene.dlq_mappings.reason)
        return
    active = [each for each in scene.dlq_mappings if each.is_enabled is not False]
    if not active:
        yield ALONE.passed(
            scene.dlq.name, "none is enabled" if scene.dlq_mappings else "it has no event source mapping"
        )
        return
    names = ", ".join(each.function_name for each in active)
    fix = Fix(
        commands=tuple(update_mapping(each.uuid, "--no-enabled") for each in active),
        template=("# no event of a function on the DLQ",),
    )
    yield ALONE.failed(scene.dlq.name, f"an event source mapping to {names}", wanted="none", fix=fix)


def _subject(source: SourceQueue, mapping: EventSourceMapping) -> str:
    return f"{source.queue.name} to {mapping.function_name}"


def subject_of(source: SourceQueue, function: Function) -> str:
    """Return how a check names a source queue and the function that consumes it."""
    return f"{source.queue.name} to {function.name}"
