"""Whether the KMS key of a queue lets its messages in and out.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.fixes import queue_fix
from opstool.engine.checks.scene import Scene, Unread
from opstool.words.check import Check, Fix, Rule
from opstool.words.iam.policy import EVERYBODY, account_of, statements
from opstool.words.key import DEFAULT_ALIAS, Key
from opstool.words.queue import Queue, QueueAttributes

SHORTEST_REUSE_S = 300
"""SQS's default: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

USABLE = Rule(
    code="kms_key_unusable",
    title="the KMS key of the queue can be used",
    why="with a key that is disabled or gone, nobody can receive what lies in the queue, and no dead message moves",
)
SENDERS = Rule(
    code="kms_key_shuts_out",
    title="the KMS key lets in those whom the queue's policy lets send",
    why="a service or account without kms:GenerateDataKey and kms:Decrypt fails to send, and tells only its own log",
)
REUSE = Rule(
    code="kms_data_key_reuse_short",
    title="data keys are used for some minutes",
    why="each new one is a call to KMS with a price and a share of its quota; KMS that throttles stops the queue",
)


def usable(scene: Scene) -> Iterator[Check]:
    """Check that the key of each queue exists and is enabled."""
    for queue, attributes, key in _keyed(scene):
        key_id = str(attributes.kms_key_id)
        if isinstance(key, Unread) and not key.is_missing:
            yield USABLE.unknown(queue.name, key.reason)
        elif isinstance(key, Key) and key.is_usable:
            yield USABLE.passed(queue.name, f"{key_id} is {key.state}")
        else:
            found = f"{key_id} {f'is {key.state}' if isinstance(key, Key) else 'does not exist'}"
            yield USABLE.failed(queue.name, found, wanted="Enabled", fix=_usable(queue, key))


def _usable(queue: Queue, key: Key | Unread) -> Fix:
    if isinstance(key, Unread):
        return queue_fix(queue, "SqsManagedSseEnabled: true # instead of KmsMasterKeyId", SqsManagedSseEnabled="true")
    rescue = (("aws", "kms", "cancel-key-deletion", "--key-id", key.arn),) if key.state == "PendingDeletion" else ()
    return Fix(
        commands=(*rescue, ("aws", "kms", "enable-key", "--key-id", key.arn)), template=("Enabled: true # of the key",)
    )


def senders(scene: Scene) -> Iterator[Check]:
    """Check that services and other accounts who may send may use the key, too."""
    for queue, attributes, key in _keyed(scene):
        others = {name for each in statements(attributes.policy) for name in each.senders_beyond(queue.account)}
        if not others:
            yield SENDERS.passed(queue.name, "its policy lets no service and no other account send")
        elif attributes.kms_key_id == DEFAULT_ALIAS or (isinstance(key, Key) and key.is_aws_managed):
            found = f"{', '.join(sorted(others))} may send, and {DEFAULT_ALIAS} is for this account's identities only"
            yield _shut_out(queue, found, others)
        elif isinstance(key, Unread):
            yield SENDERS.unknown(queue.name, key.reason)
        elif key.policy is None:
            yield SENDERS.unknown(queue.name, "`kms:GetKeyPolicy` is not allowed")
        elif out := _left_out(others, key):
            found = f"the key's policy does not name {', '.join(sorted(out))}"
            yield _shut_out(queue, found, out)
        else:
            yield SENDERS.passed(queue.name, f"the key's policy names {', '.join(sorted(others))}")


def _left_out(others: set[str], key: Key) -> set[str]:
    """Return whom the policy of a key allows nothing at all; how much it allows the others is not judged."""
    allowing = [each for each in statements(key.policy) if each.allows]
    named = {name for each in allowing for name in (*each.services, *map(account_of, each.principals))}
    return set() if EVERYBODY in named else others - named


def _shut_out(queue: Queue, found: str, others: set[str]) -> Check:
    who = ", ".join(sorted(others))
    template = (
        "# in the KeyPolicy of a key of your own, which the queue then names as its KmsMasterKeyId:",
        "- Effect: Allow",
        f"  Principal: {{Service: [{who}]}} # an account as AWS: [arn:aws:iam::ACCOUNT:root]",
        "  Action: [kms:GenerateDataKey, kms:Decrypt]",
        '  Resource: "*"',
    )
    wanted = f"a key of your own whose policy allows {who} kms:GenerateDataKey and kms:Decrypt"
    return SENDERS.failed(queue.name, found, wanted=wanted, fix=Fix(template=template))


def reuse(scene: Scene) -> Iterator[Check]:
    """Check that KMS is not asked more often than by default."""
    for queue, attributes, _ in _keyed(scene):
        seconds = attributes.kms_data_key_reuse_s or SHORTEST_REUSE_S
        if seconds >= SHORTEST_REUSE_S:
            yield REUSE.passed(queue.name, f"{seconds} s")
        else:
            template = f"KmsDataKeyReusePeriodSeconds: {SHORTEST_REUSE_S}"
            fix = queue_fix(queue, template, KmsDataKeyReusePeriodSeconds=str(SHORTEST_REUSE_S))
            yield REUSE.failed(queue.name, f"{seconds} s", wanted=f"{SHORTEST_REUSE_S} s or more", fix=fix)


def _keyed(scene: Scene) -> Iterator[tuple[Queue, QueueAttributes, Key | Unread]]:
    """Yield the queues that have a KMS key, with what is known of it."""
    for queue, attributes in scene.queues:
        if attributes.kms_key_id:
            yield queue, attributes, scene.keys.get(attributes.kms_key_id, Unread(reason="it was not read"))
