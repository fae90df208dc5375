"""A redrive from one server into another, over real sockets: the embedded AWS and the in-memory SQS behind HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool.doors.session import Connection
from opstool.doors.toolkit import connect
from opstool.fake import FakeSqs
from opstool.verbs import history, redrive
from opstool.words.errors import RefusedError
from opstool.words.report import Status
from tests.servers import embedded
from tests.servers.fake_endpoint import FakeEndpoint


def test_a_redrive_goes_from_one_server_into_another_and_is_resumed(tmp_path: Path) -> None:
    """Each side is asked through its own endpoint; where STS is missing the identity is unknown, with why."""
    source, fake = embedded.open(), FakeSqs(seed=7, account="210987654321", region="us-east-1")
    there = FakeEndpoint(fake)
    try:
        dlq = source.make_queue()
        dlq.send_batch(*map(str, range(10)))
        fake("CreateQueue", {"QueueName": "target"})
        kit = connect(source.connection, state_dir=tmp_path)
        elsewhere = Connection(endpoint_url=there.url)
        options = {"to": "target", "elsewhere": elsewhere, "not_a_dlq": True}
        with redrive.prepare(kit, dlq.url, limit=4, **options) as run:
            assert run.plan.facts["to as"].startswith("unknown (")
            assert "(account 123456789012)" in run.plan.facts["from as"]
            assert run.execute().counts.succeeded == 4
        with redrive.prepare(kit, dlq.url, **options) as run:
            kit.stop.set()
            assert run.execute().status is Status.INTERRUPTED
        kit.stop.clear()
        kit.close()
        again = connect(source.connection, state_dir=tmp_path)
        with history.resume(again, run.plan.run_id) as resumed:
            assert resumed.execute().counts.succeeded == 6
        again.close()
        assert (dlq.counts()[0], fake.requests["SendMessageBatch"] >= 2) == (0, True)
    finally:
        there.close()
        source.close()


def test_the_queue_itself_is_refused_by_another_spelling_of_its_server(tmp_path: Path) -> None:
    """127.0.0.1 is localhost."""
    source = embedded.open()
    try:
        dlq, connection = source.make_queue(), source.connection
        assert connection
        assert connection.endpoint_url
        kit = connect(connection, state_dir=tmp_path)
        elsewhere = Connection(endpoint_url=connection.endpoint_url.replace("127.0.0.1", "localhost"))
        with pytest.raises(RefusedError, match="the queue itself"):
            redrive.prepare(kit, dlq.url, to=dlq.name, elsewhere=elsewhere, not_a_dlq=True)
        kit.close()
    finally:
        source.close()
