"""Whether the function and the queue agree about time, and about who keeps what failed."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.mapping import subject_of
from opstool.engine.checks.scene import Scene, SourceQueue, Unread
from opstool.engine.checks.timespan import spelled
from opstool.words.check import Check, Fix, Rule
from opstool.words.function import Function

TIMES = 6
"""Visibility timeout over function timeout: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
_LONGEST_VISIBILITY_S = 43_200
_LEAST_S_A_MESSAGE = 0.3
"""What Lambda's defaults, 3 s for 10 messages, leave to each: nobody has thought about it yet."""

VISIBILITY = Rule(
    code="visibility_short",
    title="a message stays hidden for as long as Lambda may need to retry its batch",
    why="a batch that is throttled or slow shows up again while it is worked on: it is handled twice, and dies early",
)
BATCH_TIME = Rule(
    code="batch_time_short",
    title="the function has time for a full batch",
    why="a batch that times out comes back whole, and each of its messages is a receive nearer to its death",
)
FUNCTION_DLQ = Rule(
    code="function_dlq_useless",
    title="nobody relies on the function's own dead-letter queue",
    why="it is for asynchronous invocations; SQS invokes synchronously, and only the queue's redrive policy counts",
)
IDEMPOTENCY = Rule(
    code="idempotency_key",
    title="handling a message twice does no harm, and its id is not how that is known",
    why="SQS delivers at least once, and a redriven message has a new message id: a key made of it lets it pass again",
)


def visibility(scene: Scene) -> Iterator[Check]:
    """Compare the visibility timeout of each source with six function timeouts and the batching window."""
    yield from (VISIBILITY.unknown(*gap) for gap in scene.gaps(functions=True))
    for source, mapping, function in scene.consumers():
        if isinstance(function, Unread):
            continue
        needed_s = TIMES * function.timeout_s + mapping.window_s
        have_s = source.attributes.visibility_timeout_s
        window = f" and a window of {spelled(mapping.window_s)}" if mapping.window_s else ""
        found = f"{have_s:,} s, with a function timeout of {function.timeout_s:,} s{window}"
        if have_s >= needed_s:
            yield VISIBILITY.passed(subject_of(source, function), found)
        else:
            wanted = f"at least {needed_s:,} s: {TIMES} x {function.timeout_s}"
            wanted += f" + {mapping.window_s}" if mapping.window_s else ""
            fix = _longer(source, needed_s)
            yield VISIBILITY.failed(subject_of(source, function), found, wanted=wanted, fix=fix)


def _longer(source: SourceQueue, needed_s: int) -> Fix:
    if needed_s > _LONGEST_VISIBILITY_S:
        return Fix(template=("Timeout: 900 # of the function, or less",))
    template = f"VisibilityTimeout: {needed_s} # of the source queue"
    return queue_fix(source.queue, template, VisibilityTimeout=str(needed_s))


def batch_time(scene: Scene) -> Iterator[Check]:
    """Ask about a function that has less time for a message than Lambda's defaults leave."""
    yield from (BATCH_TIME.unknown(*gap) for gap in scene.gaps(functions=True))
    for source, mapping, function in scene.consumers():
        if isinstance(function, Unread):
            continue
        each_s = function.timeout_s / mapping.batch_size
        found = f"{function.timeout_s:,} s for up to {mapping.batch_size:,} messages"
        if each_s > _LEAST_S_A_MESSAGE:
            yield BATCH_TIME.passed(subject_of(source, function), found)
        else:
            question = f"{found}: is {each_s:.2g} s enough for one?"
            yield BATCH_TIME.asked(
                subject_of(source, function), question, wanted="a larger Timeout or a smaller BatchSize"
            )


def function_dlq(scene: Scene) -> Iterator[Check]:
    """Check that the function's own DLQ is not taken for the queue's."""
    yield from (FUNCTION_DLQ.unknown(*gap) for gap in scene.gaps(functions=True))
    for function in scene.known_functions():
        target = function.dead_letter_arn
        if target is None:
            yield FUNCTION_DLQ.passed(function.name, "it has none")
        elif target == scene.dlq.arn:
            fix = Fix(
                commands=(_without_dlq(function),),
                template=("# the function: take DeadLetterQueue away, or name another",),
            )
            found = "it names this DLQ, into which its asynchronous failures then come, from no source queue"
            yield FUNCTION_DLQ.failed(function.name, found, wanted="none, or another queue", fix=fix)
        else:
            name = target.rsplit(":", 1)[-1]
            yield FUNCTION_DLQ.asked(function.name, f"it names {name}: is that meant for asynchronous invocations?")


def _without_dlq(function: Function) -> tuple[str, ...]:
    change = ("update-function-configuration", "--function-name", function.name, "--dead-letter-config", "TargetArn=")
    return ("aws", "lambda", *change)


def idempotency(scene: Scene) -> Iterator[Check]:
    """Ask what cannot be seen from outside."""
    names = {mapping.function_name for _, mapping, _ in scene.consumers()}
    question = "does it make its idempotency key of the order, the payment, the event, and not of the message id?"
    for name in sorted(names) or [scene.dlq.name]:
        yield IDEMPOTENCY.asked(name, question)
