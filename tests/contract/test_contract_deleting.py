"""Deleting ends a message, by the handle of its last receive; and the rules of batches that carry handles."""

from __future__ import annotations

import pytest

from tests.servers.server import Server, aws_code, bodies


def test_a_deleted_message_never_comes_back(server: Server) -> None:
    """Not after its timeout either."""
    queue = server.make_queue()
    queue.send("x")
    queue.delete(queue.receive_one(visibility_s=1))
    server.wait(1)
    assert queue.receive() == []
    assert queue.counts() == (0, 0, 0)


@pytest.mark.departs(ministack="refuses the handle of a message that is gone")
def test_deleting_twice_succeeds(server: Server) -> None:
    """DeleteMessage is safe to repeat on a standard queue."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one()
    queue.delete(message)
    queue.delete(message)


def test_a_message_can_be_deleted_after_its_timeout_while_nobody_else_has_it(server: Server) -> None:
    """On a standard queue the last handle is good until the next receive."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one(visibility_s=1)
    server.wait(1)
    queue.delete(message)
    assert queue.counts() == (0, 0, 0)


@pytest.mark.departs(
    moto="every handle of a message that was ever given deletes it",
    local_aws_sqs="every handle of a message that was ever given deletes it",
    localstack="every handle of a message that was ever given deletes it",
    ministack="refuses it",
)
def test_the_handle_of_an_earlier_receive_deletes_nothing(server: Server) -> None:
    """DeleteMessage says yes, and the message stays with whoever received it last."""
    queue = server.make_queue()
    queue.send("x")
    old = queue.receive_one()
    queue.release(old)
    queue.receive_one(visibility_s=1)
    queue.delete(old)
    server.wait(1)
    assert bodies(queue.receive()) == ["x"]


def test_what_is_no_handle_is_refused(server: Server) -> None:
    """ReceiptHandleIsInvalid, for a delete and for a change of visibility."""
    queue = server.make_queue()
    assert queue.refusal("DeleteMessage", ReceiptHandle="nonsense").code == "stale_receipt_handle"
    change = {"ReceiptHandle": "nonsense", "VisibilityTimeout": 0}
    assert queue.refusal("ChangeMessageVisibility", **change).code == "stale_receipt_handle"


@pytest.mark.departs(localstack="says of no failure that it is the sender's")
def test_a_batch_delete_names_each_that_failed(server: Server) -> None:
    """One bad handle does not keep the others."""
    queue = server.make_queue()
    queue.send("x")
    message = queue.receive_one()
    response = queue.ask(
        "DeleteMessageBatch",
        Entries=[
            {"Id": "bad", "ReceiptHandle": "nonsense"},
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
        ],
    )
    assert [each["Id"] for each in response["Successful"]] == ["good"]
    assert [(each["Id"], each["Code"], each["SenderFault"]) for each in response["Failed"]] == [
        ("bad", "ReceiptHandleIsInvalid", True)
    ]
    assert queue.counts() == (0, 0, 0)


BROKEN_BATCHES = {
    "no entries": ("EmptyBatchRequest", []),
    "eleven entries": ("TooManyEntriesInBatchRequest", [str(index) for index in range(11)]),
    "an id twice": ("BatchEntryIdsNotDistinct", ["a", "a"]),
    "an id with a space": ("InvalidBatchEntryId", ["a b"]),
}
UNCHECKED = pytest.mark.departs(moto="checks the rules of batches for sends only")


@pytest.mark.parametrize(
    ("operation", "case"),
    [
        ("DeleteMessageBatch", "no entries"),
        pytest.param("DeleteMessageBatch", "eleven entries", marks=UNCHECKED),
        pytest.param("DeleteMessageBatch", "an id twice", marks=UNCHECKED),
        pytest.param("DeleteMessageBatch", "an id with a space", marks=UNCHECKED),
        *(pytest.param("ChangeMessageVisibilityBatch", case, marks=UNCHECKED) for case in BROKEN_BATCHES),
    ],
)
def test_the_rules_of_batches_hold_for_handles_too(server: Server, operation: str, case: str) -> None:
    """The whole request is refused, with AWS's own code."""
    code, ids = BROKEN_BATCHES[case]
    fields = {"VisibilityTimeout": 0} if operation == "ChangeMessageVisibilityBatch" else {}
    batch = [{"Id": each, "ReceiptHandle": f"handle {place}", **fields} for place, each in enumerate(ids)]
    assert aws_code(server.make_queue().refusal(operation, Entries=batch)) == code
