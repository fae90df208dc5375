"""Where moto 5.2.5 departs from SQS, as scenarios that tell whether a server behaves as AWS does.

test_corrections.py runs each against the corrected server, where all must hold, and uncorrected.py runs them against
moto as it is, where none may hold: one that does is a correction that moto no longer needs. log_departures.py and
function_departures.py have those beside the queues.
"""

from __future__ import annotations

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from opstool.words.message import md5_of_trace_header
from tests.local.scenarios import Emulator, scenario


@scenario
def two_receivers_never_get_one_message_twice(emulator: Emulator) -> bool:
    """Expect: all messages arrive, each once, with eight receivers at a time."""
    from moto.sqs.models import Message, sqs_backends  # noqa: PLC0415

    url, sqs = emulator.queue(VisibilityTimeout="300"), emulator.sqs
    for _ in range(3):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "b"} for n in range(10)])
    # Through the backend: HTTP would put the threads in a row.
    backend, name = sqs_backends["123456789012"]["us-east-1"], url.rsplit("/", 1)[1]
    mark = Message.mark_received

    def mark_slowly(self: Any, **more: Any) -> None:
        time.sleep(0.002)  # the other threads look for messages now, if nothing holds them back
        mark(self, **more)

    def drain(_: int) -> list[str]:
        got = []
        while messages := backend.receive_message(name, 1, 0, 300):
            got += [message.id for message in messages]
        return got

    with mock.patch.object(Message, "mark_received", mark_slowly), ThreadPoolExecutor(8) as pool:
        got = [one for part in pool.map(drain, range(8)) for one in part]
    return len(got) == len(set(got)) == 30


@scenario
def a_receive_looks_at_each_message_a_few_times_at_most(emulator: Emulator) -> bool:
    """Expect: the work of a receive grows with the queue, not with its square."""
    from moto.sqs.models import Message  # noqa: PLC0415

    url, sqs = emulator.queue(), emulator.sqs
    for _ in range(10):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "b"} for n in range(10)])
    looks = itertools.count()
    visible = Message.visible.fget  # type: ignore[attr-defined]
    with mock.patch.object(Message, "visible", property(lambda self: next(looks) * 0 == 0 and visible(self))):
        emulator.receive(url)
    return next(looks) <= 300


@scenario
def a_batch_keeps_the_trace_header(emulator: Emulator) -> bool:
    """Expect: AWSTraceHeader survives SendMessageBatch."""
    url = emulator.queue()
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    entry = {"Id": "0", "MessageBody": "b", "MessageSystemAttributes": header}
    emulator.sqs.send_message_batch(QueueUrl=url, Entries=[entry])
    return bool(emulator.receive(url)[0]["Attributes"].get("AWSTraceHeader") == "Root=1-2-3")


@scenario
def a_body_is_no_request(emulator: Emulator) -> bool:
    """Expect: an action that is named in a message's body is not carried out."""
    url = emulator.queue()
    try:
        emulator.sqs.send_message(QueueUrl=url, MessageBody="a=1&Action=PurgeQueue&b=2")
    except ClientError:
        return False
    return [each["Body"] for each in emulator.receive(url)] == ["a=1&Action=PurgeQueue&b=2"]


@scenario
def a_batch_confirms_the_trace_header(emulator: Emulator) -> bool:
    """Expect: MD5OfMessageSystemAttributes, by which a sender sees that the header was stored."""
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    entry = {"Id": "0", "MessageBody": "b", "MessageSystemAttributes": header}
    [sent] = emulator.sqs.send_message_batch(QueueUrl=emulator.queue(), Entries=[entry])["Successful"]
    return bool(sent.get("MD5OfMessageSystemAttributes") == md5_of_trace_header("Root=1-2-3"))


@scenario
def a_dead_message_names_its_source(emulator: Emulator) -> bool:
    """Expect: DeadLetterQueueSourceArn is an attribute of what was moved into a DLQ."""
    dlq = emulator.queue()
    url = emulator.source_of(dlq)
    emulator.sqs.send_message(QueueUrl=url, MessageBody="b")
    emulator.receive(url, VisibilityTimeout=0)
    emulator.receive(url)
    dead = emulator.receive(dlq)[0]
    return bool(dead["Attributes"].get("DeadLetterQueueSourceArn") == emulator.arn(url))


@scenario
def the_redrive_allow_policy_is_readable(emulator: Emulator) -> bool:
    """Expect: RedriveAllowPolicy can be asked for."""
    policy = '{"redrivePermission":"denyAll"}'
    url = emulator.queue(RedriveAllowPolicy=policy)
    found = emulator.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return bool(found.get("RedriveAllowPolicy") == policy)


@scenario
def a_receive_count_of_zero_is_refused(emulator: Emulator) -> bool:
    """Expect: MaxReceiveCount is 1 to 1,000."""
    try:
        emulator.source_of(emulator.queue(), count=0)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "InvalidParameterValue")
    return False


@scenario
def a_queues_timestamps_are_whole_seconds(emulator: Emulator) -> bool:
    """Expect: CreatedTimestamp can be read as an integer."""
    found = emulator.sqs.get_queue_attributes(QueueUrl=emulator.queue(), AttributeNames=["All"])["Attributes"]
    return bool(found["CreatedTimestamp"].isdigit() and found["LastModifiedTimestamp"].isdigit())


@scenario
def a_batch_is_measured_in_bytes_with_its_attributes(emulator: Emulator) -> bool:
    """Expect: two-byte characters and attributes count."""
    url, kilobytes = emulator.queue(), "x" * 600_000
    text = {"a": {"DataType": "String", "StringValue": kilobytes}}
    by_attribute = [{"Id": "0", "MessageBody": kilobytes, "MessageAttributes": text}]
    by_bytes = [{"Id": "0", "MessageBody": "\u00e9" * 300_000}, {"Id": "1", "MessageBody": "\u00e9" * 300_000}]
    codes = [emulator.error_of("send_message_batch", QueueUrl=url, Entries=some) for some in (by_attribute, by_bytes)]
    return all("BatchRequestTooLong" in code for code in codes)


@scenario
def one_large_entry_fails_alone(emulator: Emulator) -> bool:
    """Expect: an entry beyond the queue's own maximum does not fail its batch."""
    url = emulator.queue(MaximumMessageSize="1024")
    entries = [{"Id": "small", "MessageBody": "b"}, {"Id": "large", "MessageBody": "b" * 1025}]
    try:
        answer = emulator.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    except ClientError:
        return False
    failed = [(one["Id"], one["Code"]) for one in answer["Failed"]]
    return [one["Id"] for one in answer["Successful"]] == ["small"] and failed == [("large", "InvalidParameterValue")]


@scenario
def an_empty_body_is_refused(emulator: Emulator) -> bool:
    """Expect: a message has a body."""
    return emulator.error_of("send_message", QueueUrl=emulator.queue(), MessageBody="") == "MissingParameter"


@scenario
def a_character_outside_xml_is_refused(emulator: Emulator) -> bool:
    """Expect: control characters cannot be sent."""
    codes = [
        emulator.error_of("send_message", QueueUrl=emulator.queue(), MessageBody=f"a{bad}b")
        for bad in ("\x00", "\x1b", "\uffff")
    ]
    return codes == ["InvalidMessageContents"] * 3


@scenario
def eleven_attributes_are_refused(emulator: Emulator) -> bool:
    """Expect: ten are the most."""
    many = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    code = emulator.error_of("send_message", QueueUrl=emulator.queue(), MessageBody="b", MessageAttributes=many)
    return code == "InvalidParameterValue"


@scenario
def an_expired_message_does_not_hide_the_next(emulator: Emulator) -> bool:
    """Expect: what has outlived the retention is gone; what was sent later is received at once."""
    url = emulator.queue(MessageRetentionPeriod="60")
    emulator.sqs.send_message(QueueUrl=url, MessageBody="old")
    emulator.advance(61)
    emulator.sqs.send_message(QueueUrl=url, MessageBody="new")
    return [one["Body"] for one in emulator.receive(url)] == ["new"]


@scenario
def a_message_that_is_not_in_flight_cannot_be_hidden(emulator: Emulator) -> bool:
    """Expect: ChangeMessageVisibility is for messages in flight."""
    url = emulator.queue()
    emulator.sqs.send_message(QueueUrl=url, MessageBody="b")
    handle = emulator.receive(url, VisibilityTimeout=1)[0]["ReceiptHandle"]
    emulator.advance(2)
    code = emulator.error_of("change_message_visibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)
    return "MessageNotInflight" in code


@scenario
def twelve_hours_in_flight_count_from_the_receive(emulator: Emulator) -> bool:
    """Expect: a message that was sent yesterday can still be held."""
    url = emulator.queue()
    emulator.sqs.send_message(QueueUrl=url, MessageBody="b")
    emulator.advance(86_400)
    handle = emulator.receive(url)[0]["ReceiptHandle"]
    return not emulator.error_of("change_message_visibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)


@scenario
def a_group_keeps_its_order_after_a_visibility_timeout(emulator: Emulator) -> bool:
    """Expect: the first of a group comes first again, and the second not before it."""
    url = emulator.queue(fifo=True)
    emulator.send_fifo(url, "1", "2", "3")
    emulator.receive(url, 2, VisibilityTimeout=1)
    locked = emulator.receive(url, 1)
    emulator.advance(2)
    again = emulator.receive(url, 2, VisibilityTimeout=1)
    emulator.advance(2)
    whole = emulator.receive(url, 10)
    return [[m["Body"] for m in some] for some in (locked, again, whole)] == [[], ["1", "2"], ["1", "2", "3"]]


@scenario
def a_deleted_message_still_deduplicates(emulator: Emulator) -> bool:
    """Expect: a deduplication id is remembered for five minutes, and the answer is the first one's."""
    url, sqs = emulator.queue(fifo=True), emulator.sqs
    request = {"QueueUrl": url, "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first = sqs.send_message(**request)["MessageId"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=emulator.receive(url)[0]["ReceiptHandle"])
    again = sqs.send_message(**request)["MessageId"]
    return first == again and emulator.receive(url) == []


@scenario
def deduplication_can_be_of_the_group(emulator: Emulator) -> bool:
    """Expect: with DeduplicationScope messageGroup, two groups may use one id."""
    url = emulator.queue(fifo=True, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in ("a", "b"):
        emulator.send_fifo(url, "same", group=group)
    return len(emulator.receive(url)) == 2


@scenario
def sequence_numbers_grow(emulator: Emulator) -> bool:
    """Expect: a later message of a group has the larger number."""
    url = emulator.queue(fifo=True)
    emulator.send_fifo(url, *"abcdefgh")
    numbers = [int(one["Attributes"]["SequenceNumber"]) for one in emulator.receive(url)]
    return numbers == sorted(numbers)


@scenario
def an_expired_handle_of_a_fifo_queue_deletes_nothing(emulator: Emulator) -> bool:
    """Expect: the handle ends with its visibility timeout."""
    url = emulator.queue(fifo=True)
    emulator.send_fifo(url, "1")
    handle = emulator.receive(url, VisibilityTimeout=1)[0]["ReceiptHandle"]
    emulator.advance(2)
    return bool(emulator.error_of("delete_message", QueueUrl=url, ReceiptHandle=handle))


@scenario
def a_dead_fifo_message_deduplicates_by_its_own_id(emulator: Emulator) -> bool:
    """Expect: in the DLQ the deduplication id is the original message id, and the clock of retention starts again."""
    dlq = emulator.queue(fifo=True)
    url = emulator.source_of(dlq, fifo=True)
    emulator.send_fifo(url, "1")
    sent = emulator.receive(url, VisibilityTimeout=1)[0]
    emulator.advance(2)
    emulator.receive(url)
    dead = emulator.receive(dlq)[0]["Attributes"]
    later = int(dead["SentTimestamp"]) > int(sent["Attributes"]["SentTimestamp"])
    return bool(dead["MessageDeduplicationId"] == sent["MessageId"]) and later


@scenario
def a_stack_names_its_queues_on_this_machine(emulator: Emulator) -> bool:
    """Expect: Ref of a queue is an address of the emulator."""
    made = emulator.stack({"Q": {"Type": "AWS::SQS::Queue", "Properties": {}}}, Url={"Ref": "Q"})
    return made["Url"].startswith(emulator.settings.endpoint_url)


@scenario
def a_generated_name_of_a_fifo_queue_ends_in_fifo(emulator: Emulator) -> bool:
    """Expect: CloudFormation can make a FIFO queue without a name."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}}
    try:
        return emulator.stack({"Q": queue}, Url={"Ref": "Q"})["Url"].endswith(".fifo")
    except ClientError:
        return False


@scenario
def listing_move_tasks_is_answered(emulator: Emulator) -> bool:
    """Expect: a queue without move tasks has an empty list of them."""
    url = emulator.queue()
    return not emulator.error_of("list_message_move_tasks", SourceArn=emulator.arn(url))


@scenario
def a_profile_of_the_user_is_not_asked_for(_: Emulator) -> bool:
    """Expect: AWS_PROFILE may name what does not exist."""
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415
    from moto.core.base_backend import AccountSpecificBackend  # noqa: PLC0415

    cached = getattr(AccountSpecificBackend.get_session, "cache_clear", None)
    if cached:
        cached()
    with mock.patch.dict(os.environ, AWS_PROFILE="there-is-no-such-profile"):
        try:
            AccountSpecificBackend.get_session().get_available_partitions()
        except ProfileNotFound:
            return False
    return True
