"""Looking leaves things as they were, and says what it could not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool.fake import FailCalls
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
