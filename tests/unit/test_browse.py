"""Looking leaves things as they were, and says what it could not leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import FailCalls, Faults, no_answer
from opstool.verbs import browse, export
from opstool.words.awserrors import error_for
from opstool.words.filters import Selection
from tests.world import World


def bodies(count: int) -> list[str]:
    """Return so many different bodies."""
    return [f"body {number}" for number in range(count)]


def test_a_look_releases_everything_and_says_what_it_added(world: World) -> None:
    """Whoever comes next finds every message visible; only the receive counts have grown."""
    world.die(bodies(25))
    listing = browse.list_messages(world.kit(), "orders-dlq", limit=None)
    attributes = world.kit().sqs.attributes(listing.dlq.queue)
    assert (len(listing.messages), attributes.depth, attributes.in_flight) == (25, 25, 0)
    assert listing.notes[0] == "looking added 1 to the receive count of 25 messages"


def test_a_look_that_may_not_release_says_how_long_the_messages_stay_hidden(world: World) -> None:
    """An identity that may receive and not change visibilities leaves the queue looking empty for a while."""
    world.die(bodies(12))
    world.fake.faults = FailCalls(
        "ChangeMessageVisibilityBatch", error_for("ChangeMessageVisibilityBatch", "AccessDenied", "no", 403)
    )
    listing = browse.list_messages(world.kit(), "orders-dlq", limit=None)
    assert "12 messages could not be released: they stay hidden for up to 30 s more" in listing.notes


@pytest.mark.parametrize("selection", [Selection(), Selection(body_contains="body")], ids=["whole", "filtered"])
def test_an_export_that_may_not_release_says_so_too(world: World, selection: Selection, tmp_path: Path) -> None:
    """The report's notes carry it, so that `--output json` has it."""
    world.die(bodies(3))
    world.fake.faults = FailCalls(
        "ChangeMessageVisibilityBatch", error_for("ChangeMessageVisibilityBatch", "AccessDenied", "no", 403)
    )
    report = export.export(world.kit(), "orders-dlq", selection, to=tmp_path / "out.jsonl")
    assert "3 messages could not be released: they stay hidden for up to 30 s more" in report.notes


def test_a_look_that_ends_while_an_unanswered_receive_hides_messages_says_so(world: World) -> None:
    """The answer was lost, not the receive: what it took stays hidden, and a look with a limit does not wait for it."""
    world.die(bodies(25))
    world.fake.faults = FailCalls("ReceiveMessage", no_answer("ReceiveMessage"), phase="after", calls={1})
    listing = browse.list_messages(world.kit(), "orders-dlq", limit=5)
    assert world.visible(world.dlq) == 15
    assert "an answer was lost or late: some messages may stay hidden for up to 30 s more" in listing.notes


def test_a_fifo_look_is_partial_though_others_gave_back_as_many_as_it_could_not_see(fifo_world: World) -> None:
    """Two that were in flight come back while we look; two behind a full receive of their group are never shown."""
    world = fifo_world
    world.die(["a:1", "a:2"])
    world.ask("ReceiveMessage", world.dlq, MaxNumberOfMessages=10, VisibilityTimeout=2)
    world.clock.advance(0.5)
    world.die([f"b:{number}" for number in range(12)])
    listing = browse.list_messages(world.kit(), "orders-dlq.fifo", limit=None)
    assert (listing.seen, listing.partial) == (12, True)


def test_a_message_whose_extension_was_not_answered_may_stay_hidden_and_the_look_says_so(world: World) -> None:
    """For a whole lease no extension was answered, and the last was carried out: too old to be released, yet hidden."""
    world.die(bodies(3))
    lost = FailCalls("ChangeMessageVisibilityBatch", no_answer("ChangeMessageVisibilityBatch"), phase="after")

    class SlowReceives(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "ReceiveMessage":
                world.clock.advance(12)
            lost.before(operation, request)

        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            return lost.after(operation, request, response)

    world.fake.faults = SlowReceives()
    listing = browse.list_messages(world.kit(), "orders-dlq", limit=None)
    world.fake.faults = Faults()
    assert world.visible(world.dlq) == 0
    assert "an answer was lost or late: some messages may stay hidden for up to 30 s more" in listing.notes
