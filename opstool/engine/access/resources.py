"""Find the resources around a dead-letter queue that a policy has to name: its sources, their consumers, logs and keys.

Each step may be forbidden. Then a pattern stands for what was not read, and a note says so; only keys have none where
nobody knows whether there is one, because it would open every key of the account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from opstool.doors.keys import describe_key
from opstool.doors.stack import DLQ_OUTPUT, LOG_GROUP_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import NotFoundError, OpstoolError
from opstool.words.function import unqualified
from opstool.words.iam.iampolicy import Resources, log_group_arn, partition, wildcard
from opstool.words.iam.permissions import Kind
from opstool.words.key import DEFAULT_ALIAS
from opstool.words.queue import Queue

MOST_SOURCES = 50
"""Source queues whose consumers are looked up, one request each; of more, a pattern stands for the consumers."""
_CONSUMERS = (Kind.FUNCTION, Kind.BARE_FUNCTION, Kind.MAPPING, Kind.LOG_GROUP)

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What was found: the resources, the URLs and access policies of queues by ARN, and what could not be read.

    `unread_policies` are the ARNs of queues that may have a policy, and did not show it.
    """

    resources: Resources
    urls: Mapping[str, str] = field(default_factory=dict)
    queue_policies: Mapping[str, str] = field(default_factory=dict)
    unread_policies: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def look_around(
    kit: Toolkit, dlq: Queue, sources: Sequence[Queue] | None = None, *, to: Queue | None = None
) -> Surroundings:
    """Return the resources around a dead-letter queue; `sources` None has them looked up, `to` is where one sends."""
    walk = _Walk(kit, dlq, to)
    found = walk.sources() if sources is None else list(sources)
    walk.queues(found)
    walk.consumers(found)
    walk.keys(found)
    walk.stack()
    return walk.surroundings()


def look_at_queues(kit: Toolkit, dlq: Queue, sources: Sequence[Queue], *, to: Queue | None = None) -> Surroundings:
    """Return the queues alone, with their keys: all that a move task has to do with."""
    walk = _Walk(kit, dlq, to)
    walk.queues(sources)
    walk.keys(sources)
    return walk.surroundings()


def unread(kit: Toolkit, dlq: Queue, *, to: Queue | None = None, why: str | None = None) -> Surroundings:
    """Return what can be said without asking AWS anything: patterns for all that an ARN does not tell.

    `why` is what keeps the queue from being read, None where nobody wants to.
    """
    walk = _Walk(kit, dlq, to)
    walk.queues(None)
    walk.pattern(*_CONSUMERS)
    if kit.stack.name:
        walk.put(Kind.STACK, walk.stack_arn(kit.stack.name))
    patterns = "nothing was looked up: patterns stand for the source queues and their consumers"
    walk.note(f"{patterns} ({why})" if why else patterns)
    walk.note(_keys_unread("any of the queues"))
    return walk.surroundings()


class _Walk:
    """The steps of one look around; what was found is put under its kind."""

    def __init__(self, kit: Toolkit, dlq: Queue, to: Queue | None) -> None:
        self._kit = kit
        self._dlq = dlq
        self._to = to
        self._found: dict[Kind, dict[str, None]] = {}
        self._patterns: set[str] = set()
        self._policies: dict[str, str] = {}
        self._unread: set[str] = set()
        self._urls: dict[str, str] = {}
        self._notes: dict[str, None] = {}

    def sources(self) -> list[Queue] | None:
        """Return the source queues, None when they may not be read."""
        found = self._try("its source queues", lambda: self._kit.sqs.sources(self._dlq))
        return None if found is None else [each.queue for each in found]

    def queues(self, sources: Sequence[Queue] | None) -> None:
        """Put the queues themselves; a redrive sends to the sources and an import to the DLQ, unless told where."""
        self._put_queues(Kind.DLQ, [self._dlq])
        self._put_queues(Kind.ORIGIN, [self._to or self._dlq])
        if sources is None:
            self.pattern(Kind.SOURCE)
        else:
            self._put_queues(Kind.SOURCE, sources)
        targets = [self._to] if self._to else sources
        if targets is None:
            self.pattern(Kind.TARGET)
        else:
            self._put_queues(Kind.TARGET, targets)

    def consumers(self, sources: Sequence[Queue] | None) -> None:
        """Put the functions, mappings and log groups of the queues' consumers, and the log group of our stack."""
        if sources is None or len(sources) > MOST_SOURCES:
            self.note("which functions consume the source queues was not looked up")
            self.pattern(*_CONSUMERS)
            return
        for source in sources:
            mappings = self._try("who consumes the source queues", partial(self._mappings, source.arn))
            if mappings is None:
                self.pattern(*_CONSUMERS)
                return
            for uuid, function_arn in mappings:
                self.put(Kind.MAPPING, f"arn:{self._place('lambda')}:event-source-mapping:{uuid}")
                self._function(function_arn)
        self._named_log_groups()

    def _mappings(self, source_arn: str) -> list[tuple[str, str]]:
        return [(each.uuid, each.function_arn) for each in self._kit.functions.mappings(source_arn)]

    def _function(self, arn: str) -> None:
        """Put a function by the ARN of its mapping, which may name an alias, and the log group it writes."""
        self.put(Kind.FUNCTION, arn)
        self.put(Kind.BARE_FUNCTION, unqualified(arn))
        function = self._try(f"the log group of `{arn}`", lambda: self._kit.functions.function(arn))
        if function is None:
            self.pattern(Kind.LOG_GROUP)
        else:
            self.put(Kind.LOG_GROUP, log_group_arn(arn, function.log_group))

    def _named_log_groups(self) -> None:
        """Put the log groups that were named on the command line, else that of the stack where there is no other."""
        groups = list(self._kit.log_reading.log_groups)
        if not groups and Kind.LOG_GROUP not in self._found and self._outputs().get(DLQ_OUTPUT) == self._dlq.arn:
            groups = [self._outputs().get(LOG_GROUP_OUTPUT, "")]
        for group in filter(None, groups):
            self.put(Kind.LOG_GROUP, f"arn:{self._place('logs')}:log-group:{group}:*")

    def keys(self, sources: Sequence[Queue] | None) -> None:
        """Put the KMS keys of the queues that have one of their own."""
        self._key([Kind.DLQ_KEY, *([] if self._to else [Kind.ORIGIN_KEY])], self._dlq)
        for source in sources or ():
            self._key([Kind.SOURCE_KEY, *([] if self._to else [Kind.TARGET_KEY])], source)
        if sources is None:
            self.note(_keys_unread("any source queue"))
        if self._to:
            self._key([Kind.TARGET_KEY, Kind.ORIGIN_KEY], self._to)

    def _key(self, kinds: Iterable[Kind], queue: Queue) -> None:
        """Put a queue's key, and remember the queue's access policy, which the same request tells."""
        if not queue.url:
            self._unread.add(queue.arn)
            self.note(_keys_unread(f"`{queue.name}`"))
            return
        try:
            attributes = self._kit.sqs.attributes(queue)
        except OpstoolError as error:
            self._unread.add(queue.arn)
            self.note(f"{_keys_unread(f'`{queue.name}`')}: {error.message}")
            return
        if attributes.policy:
            self._policies[queue.arn] = attributes.policy
        key_id = attributes.kms_key_id
        if not key_id or key_id.endswith(DEFAULT_ALIAS):  # its policy lets in whoever may use SQS
            return
        arn = self._key_arn(key_id, queue)
        for kind in kinds:
            if arn is None:
                self.pattern(kind)
            elif arn:
                self.put(kind, arn)

    def _key_arn(self, key_id: str, queue: Queue) -> str | None:
        """Return the ARN of a key, an empty one where AWS manages it, None where it is not known.

        An alias has to be looked up, because a policy cannot name a key by it:
        https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        """
        if "alias/" in key_id:
            key = self._try(f"the key `{key_id}`", lambda: describe_key(self._kit.ask, key_id))
            if key is None:
                return None
            return "" if key.is_aws_managed else key.arn
        return key_id if key_id.startswith("arn:") else f"arn:{self._place('kms', queue)}:key/{key_id}"

    def stack(self) -> None:
        """Put the stack, unless it is known to have another dead-letter queue."""
        name = self._kit.stack.name
        if name and self._outputs({DLQ_OUTPUT: self._dlq.arn}).get(DLQ_OUTPUT) == self._dlq.arn:
            self.put(Kind.STACK, self.stack_arn(name))

    def stack_arn(self, name: str) -> str:
        """Return the ARN of a stack of this name; what follows is an id that CloudFormation makes up."""
        return f"arn:{self._place('cloudformation')}:stack/{name}/*"

    def _outputs(self, unreadable: Mapping[str, str] | None = None) -> Mapping[str, str]:
        try:
            return self._kit.stack.outputs()
        except NotFoundError:
            return {}
        except OpstoolError:
            return unreadable or {}

    def pattern(self, *kinds: Kind) -> None:
        """Put the patterns that cover whole kinds."""
        for kind in kinds:
            everything = wildcard(kind, self._dlq)
            self._patterns.add(everything)
            self._found[kind] = {everything: None}

    def put(self, kind: Kind, *arns: str) -> None:
        """Put ARNs under a kind; they add nothing to a pattern that stands there already."""
        found = self._found.setdefault(kind, {})
        if not found.keys() & self._patterns:
            found.update(dict.fromkeys(arns))

    def _put_queues(self, kind: Kind, queues: Sequence[Queue]) -> None:
        self.put(kind, *(each.arn for each in queues))
        self._urls |= {each.arn: each.url for each in queues if each.url}

    def note(self, text: str) -> None:
        """Say something once."""
        self._notes[text] = None

    def _try(self, what: str, look: Callable[[], Found]) -> Found | None:
        """Return what a look-up answers; one that fails is a note."""
        try:
            return look()
        except OpstoolError as error:
            self.note(f"{what} could not be read, so a pattern stands for what was not found: {error.message}")
            return None

    def _place(self, service: str, queue: Queue | None = None) -> str:
        where = queue or self._dlq
        return f"{partition(where)}:{service}:{where.region}:{where.account}"

    def surroundings(self) -> Surroundings:
        """Return what was found."""
        # The policy is not for whoever prints it, so of users and roles none can be named.
        identities = f"arn:{partition(self._dlq)}:iam::{self._dlq.account}"
        self.put(Kind.IDENTITY, f"{identities}:role/*", f"{identities}:user/*")
        by_kind = {kind: tuple(arns) for kind, arns in self._found.items() if arns}
        return Surroundings(
            resources=Resources(by_kind=by_kind, patterns=frozenset(self._patterns)),
            urls=self._urls,
            queue_policies=self._policies,
            unread_policies=frozenset(self._unread),
            notes=tuple(self._notes),
        )


def _keys_unread(whose: str) -> str:
    return (
        f"whether {whose} has a KMS key of its own was not read; one needs kms:Decrypt, to send kms:GenerateDataKey too"
    )
