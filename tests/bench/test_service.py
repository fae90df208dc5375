"""The endpoint of the benchmark behaves as a queue does, and its book finds every client that does not move exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.pool import FAULTS, Pool, attributes_md5, body_of, md5
from bench.service import Service
from opstool.words.message import Attribute, md5_of_attributes, md5_of_body

DLQ, SOURCE = "https://127.0.0.1:1/123456789012/orders-dlq", "https://127.0.0.1:1/123456789012/orders"


class Client:
    """Asks the service directly, at a time that the test sets."""

    def __init__(self, messages: int = 10, match: float = 1.0) -> None:
        self.now_s = 100.0
        self.service = Service(Pool(messages, match), "https://127.0.0.1:1", clock=lambda: self.now_s)

    def receive(self, most: int = 10, timeout_s: int = 30) -> list[dict[str, Any]]:
        """Receive with every attribute."""
        request = {
            "QueueUrl": DLQ,
            "MaxNumberOfMessages": most,
            "VisibilityTimeout": timeout_s,
            "MessageSystemAttributeNames": ["All"],
        }
        found: list[dict[str, Any]] = json.loads(self.service.receive(request) or b"{}").get("Messages", [])
        return found

    def send(self, *bodies: str) -> dict[str, Any]:
        """Send to the source queue."""
        return self.ask(
            "SendMessageBatch",
            QueueUrl=SOURCE,
            Entries=[{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies)],
        )

    def delete(self, *handles: str) -> dict[str, Any]:
        """Delete from the dead-letter queue."""
        return self.ask("DeleteMessageBatch", QueueUrl=DLQ, Entries=_entries(handles))

    def hide(self, handles: list[str], timeout_s: int) -> dict[str, Any]:
        """Change the visibility."""
        entries = [{**entry, "VisibilityTimeout": timeout_s} for entry in _entries(handles)]
        return self.ask("ChangeMessageVisibilityBatch", QueueUrl=DLQ, Entries=entries)

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Ask for any operation, which has to go well."""
        status, answer = self.service.answer(operation, request)
        assert status == 200, answer
        found: dict[str, Any] = json.loads(answer)
        return found

    @property
    def faults(self) -> dict[str, int]:
        """Return the faults that the book names."""
        book = self.service.pool.book()
        return {name: book[name] for name in FAULTS if book[name]}


def _entries(handles: Any) -> list[dict[str, Any]]:
    return [{"Id": str(at), "ReceiptHandle": handle} for at, handle in enumerate(handles)]


def test_a_message_in_flight_is_not_received_again() -> None:
    """Ten messages are received once, however often one asks."""
    client = Client(10)
    first, second = client.receive(6), client.receive(6)
    assert len({each["MessageId"] for each in first + second}) == 10
    assert client.receive() == []


def test_a_released_message_comes_back_at_the_end_with_a_higher_count() -> None:
    """Visibility 0 gives it back at once, behind what still waits."""
    client = Client(3)
    (released,) = client.receive(1)
    client.hide([released["ReceiptHandle"]], 0)
    found = client.receive()
    assert [each["MessageId"] for each in found][-1] == released["MessageId"]
    assert [each["Attributes"]["ApproximateReceiveCount"] for each in found] == ["1", "1", "2"]


def test_a_message_comes_back_when_its_timeout_lapses_and_not_before() -> None:
    """What a client forgets is seen again; what it extends stays hidden."""
    client = Client(2)
    forgotten, extended = client.receive(timeout_s=30)
    client.hide([extended["ReceiptHandle"]], 60)
    client.now_s += 29
    assert not client.service.pool.lapse(client.now_s)
    client.now_s += 2
    assert client.service.pool.lapse(client.now_s)
    assert [each["MessageId"] for each in client.receive()] == [forgotten["MessageId"]]


def test_what_is_deleted_never_comes_back() -> None:
    """Also when its timeout lapses later."""
    client = Client(1)
    (found,) = client.receive(timeout_s=1)
    client.send(found["Body"])
    client.delete(found["ReceiptHandle"])
    client.now_s += 2
    client.service.pool.lapse(client.now_s)
    assert client.receive() == []


def test_messages_look_like_those_of_a_dead_letter_queue() -> None:
    """Bodies of 200 bytes, handles as long as real ones, an id each, the source named, a digest that is right."""
    found = Client(5).receive()
    assert {len(each["Body"].encode()) for each in found} == {200}
    assert {len(each["ReceiptHandle"]) for each in found} == {360}
    assert all(each["MD5OfBody"] == md5_of_body(each["Body"]) for each in found)
    assert {each["Attributes"]["DeadLetterQueueSourceArn"].rpartition(":")[2] for each in found} == {"orders"}


def test_the_digests_of_a_send_are_those_of_sqs() -> None:
    """A client that compares them finds them right, of bodies as of attributes."""
    given = {"b": {"DataType": "Binary", "BinaryValue": "AQID"}, "a": {"DataType": "String", "StringValue": "ü"}}
    ours = {"a": Attribute(type="String", value="ü"), "b": Attribute(type="Binary", value=b"\1\2\3")}
    assert attributes_md5(given) == md5_of_attributes(ours)
    assert md5("ü") == md5_of_body("ü")


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01], ids=["all", "some", "few"])
def test_the_share_that_matches_is_exact(share: float) -> None:
    """Of a thousand messages exactly so many match, spread over the queue."""
    client = Client(1000, share)
    bodies = [each["Body"] for _ in range(100) for each in client.receive()]
    assert sum('"type":"match"' in body for body in bodies) == round(1000 * share)
    assert client.service.pool.matching == round(1000 * share)


def test_a_client_that_moves_each_once_has_no_fault() -> None:
    """Send, then delete, of what matches; the rest released."""
    client = Client(20, 0.5)
    for _ in range(2):
        found = client.receive()
        wanted = [each for each in found if '"type":"match"' in each["Body"]]
        client.send(*(each["Body"] for each in wanted))
        client.delete(*(each["ReceiptHandle"] for each in wanted))
        client.hide([each["ReceiptHandle"] for each in found if each not in wanted], 0)
    book = client.service.pool.book()
    assert client.faults == {}
    assert (book["sent"], book["deleted"], book["left"]) == (10, 10, 10)


def _sends_twice(client: Client) -> None:
    (found,) = client.receive(1)
    client.send(found["Body"], found["Body"])
    client.delete(found["ReceiptHandle"])


def _forgets_to_delete(client: Client) -> None:
    client.send(client.receive(1)[0]["Body"])


def _loses(client: Client) -> None:
    client.delete(client.receive(1)[0]["ReceiptHandle"])


def _deletes_twice(client: Client) -> None:
    (found,) = client.receive(1)
    client.send(found["Body"])
    client.delete(found["ReceiptHandle"], found["ReceiptHandle"])


def _alters(client: Client) -> None:
    client.send(client.receive(1)[0]["Body"] + " ")


def _chooses_wrongly(client: Client) -> None:
    found = next(each for each in client.receive() if '"type":"other"' in each["Body"])
    client.send(found["Body"])
    client.delete(found["ReceiptHandle"])


@pytest.mark.parametrize(
    ("commit", "fault"),
    [
        pytest.param(_sends_twice, "sent_again", id="a copy too many"),
        pytest.param(_forgets_to_delete, "sent_and_kept", id="an original left"),
        pytest.param(_loses, "deleted_unsent", id="a message lost"),
        pytest.param(_deletes_twice, "deleted_again", id="a delete too many"),
        pytest.param(_alters, "strange_bodies", id="a body altered"),
        pytest.param(_chooses_wrongly, "sent_unmatched", id="a message that does not match"),
        pytest.param(lambda client: client.delete("invented"), "strange_handles", id="a handle invented"),
    ],
)
def test_the_book_names_what_a_client_did_wrong(commit: Callable[[Client], None], fault: str) -> None:
    """No fault is hidden behind another, and none behind a good rate."""
    client = Client(10, 0.5 if commit is _chooses_wrongly else 1.0)
    commit(client)
    assert client.faults == {fault: 1}


def test_a_handle_that_nobody_was_given_fails_its_entry() -> None:
    """The others of the batch go well."""
    client = Client(1)
    answer = client.delete("invented", client.receive()[0]["ReceiptHandle"])
    assert [each["Id"] for each in answer["Successful"]] == ["1"]
    assert [each["Code"] for each in answer["Failed"]] == ["ReceiptHandleIsInvalid"]


def test_what_it_does_not_have_it_says_so() -> None:
    """An operation of another service is refused at once; STS says who asks."""
    service = Client().service
    assert service.answer("StartMessageMoveTask", {})[0] == 501
    assert service.answer_other(b"Action=DescribeAlarms")[0] == 501
    assert b"<Account>123456789012</Account>" in service.answer_other(b"Action=GetCallerIdentity&Version=2011-06-15")[1]


def test_bodies_are_never_the_same() -> None:
    """The book knows messages by their bodies."""
    assert len({body_of(index, kind) for index in range(2000) for kind in ("match", "other")}) == 4000
