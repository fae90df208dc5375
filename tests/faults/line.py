"""A client, the fault proxy, and the in-memory SQS behind HTTP, in one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from opstool.doors.session import Connection, Session
from opstool.fake import FakeSqs
from opstool.words.errors import ServiceError
from tests.faults.kinds import Kind, Surroundings
from tests.faults.proxy import FaultProxy
from tests.lanes import DEFAULT, check_taken, session_over
from tests.servers.fake_endpoint import FakeEndpoint

HASTE_S = 0.3
LATE_S = 600.0
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"
"""Where the fake says that its queue is: whoever sent a request there would leave the machine."""
BODIES = ("a", "b", "c", "d")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A client, a proxy, and the in-memory SQS behind HTTP. `hasty` is a client that waits for little."""

    lane: str
    fake: FakeSqs
    endpoint: FakeEndpoint
    proxy: FaultProxy
    session: Session
    hasty: Session
    past_the_proxy: Session

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask as opstool does; return the answer without what HTTP adds."""
        answer = self.session.sqs_call(operation, {"QueueUrl": URL, **request})
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def strike(self, kind: type[Kind], *, rate: float = 1.0, fifo: bool = False) -> Kind:
        """Let a kind of fault strike from now on."""
        around = Surroundings(seed=1, rate=rate, fifo=fifo, ask=self.proxy.ask, sleep=self.proxy.sleep, late_s=LATE_S)
        self.proxy.faults = struck = kind(around)
        return struck

    def error(self, operation: str, request: dict[str, Any], *, hasty: bool = False) -> ServiceError:
        """Return the error of a request that has to fail."""
        session = self.hasty if hasty else self.session
        with pytest.raises(ServiceError) as caught:
            session.sqs_call(operation, request)
        return caught.value

    def fill(self) -> None:
        """Send four messages."""
        entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(BODIES)]
        assert "Failed" not in self.call("SendMessageBatch", {"Entries": entries})

    def depths(self) -> tuple[int, int]:
        """Return how many messages are visible, and how many in flight, as the server knows it."""
        values = self.fake("GetQueueAttributes", {"QueueUrl": URL, "AttributeNames": ["All"]})["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        visible, in_flight = (int(values[name]) for name in names)
        return visible, in_flight


@contextmanager
def open_line(fake: FakeSqs, lane: str = DEFAULT) -> Iterator[Line]:
    """Open a line to a fake on which there is a queue `orders`; its clients take a lane, and that is held."""
    with ExitStack() as undo:
        assert fake("CreateQueue", {"QueueName": "orders"})["QueueUrl"] == URL
        endpoint = FakeEndpoint(fake)
        undo.callback(endpoint.close)
        proxy = FaultProxy(endpoint.url)
        undo.callback(proxy.close)
        line = Line(
            lane=lane,
            fake=fake,
            endpoint=endpoint,
            proxy=proxy,
            session=session_at(proxy.url, lane=lane),
            hasty=session_at(proxy.url, lane=lane, timeout_s=HASTE_S),
            past_the_proxy=session_at(endpoint.url, lane=lane),
        )
        yield line
        for session in (line.session, line.hasty, line.past_the_proxy):
            check_taken(lane, session)


def session_at(url: str, *, lane: str = DEFAULT, timeout_s: float = 30.0) -> Session:
    """Return a session with made-up credentials, over a lane."""
    return session_over(
        lane,
        Connection(
            endpoint_url=url, region="us-east-1", access_key_id="made", secret_access_key="up", timeout_s=timeout_s
        ),
    )
