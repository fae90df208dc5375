"""One message in full: what is not known is said, and keeps nothing else from being shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from opstool.engine.reasons.trail import Trail
from opstool.verbs import purge, show
from opstool.words.errors import InterruptedRunError, NotFoundError, ServiceError
from opstool.words.logevent import Attempt, Sought
from opstool.words.logreading import LogReading
from opstool.words.reason import Reason, Reasons
from opstool.words.story import Story
from tests.unit.test_lineage import bring_back, dead_id
from tests.world import World

OF_SENDER = "1-6774a2f0-aaaaaaaaaaaaaaaaaaaaaaaa"
OF_FIRST = "1-6774a2f0-111111111111111111111111"
OF_LAST = "1-6774a2f0-222222222222222222222222"


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> list[Story]:
    """Return a list whose one element is the story of every message."""
    stories = [Story()]
    monkeypatch.setattr(show, "story_of", lambda *_: stories[0])
    return stories


def find(monkeypatch: pytest.MonkeyPatch, reasons: Reasons) -> None:
    """Let this be what the logs tell."""
    monkeypatch.setattr(show, "look_into", lambda *_, **__: SimpleNamespace(reasons=reasons))


def an_attempt(trace_id: str | None) -> Attempt:
    """Return an attempt of that trace."""
    return Attempt(at_ms=1, type="E", message="", fingerprint="", log_group="g", log_stream="s", trace_id=trace_id)


def test_a_message_that_was_not_seen_is_an_error_with_a_way_on(world: World) -> None:
    """It may have gone, or somebody else holds it."""
    world.die(["a"])
    with pytest.raises(NotFoundError, match="no message `nobody` was seen") as raised:
        show.show(world.kit(), "nobody", world.dlq.arn)
    assert (raised.value.code, world.visible(world.dlq)) == ("message_not_found", 1)


def test_the_one_message_is_shown_and_released(world: World, story: list[Story]) -> None:
    """Of several, the one that was named."""
    ids = world.die(["a", "b", "c"])
    shown = show.show(world.kit(), ids[1], world.dlq.arn)
    assert (shown.message.message_id, shown.message.body) == (ids[1], "b")
    assert world.visible(world.dlq) == 3


def test_a_log_that_fails_meanwhile_is_a_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message itself is shown all the same."""

    def fail(*_: object) -> Story:
        raise ServiceError("the line was cut")

    monkeypatch.setattr(show, "story_of", fail)
    [dead] = world.die(["a"])
    shown = show.show(world.kit(), dead, world.dlq.arn)
    assert "the log lines of this message could not be read: the line was cut" in shown.notes
    assert shown.story.attempts == ()


def test_an_interruption_while_the_log_is_read_ends_the_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the log."""

    def stop(*_: object) -> Story:
        raise InterruptedRunError("interrupted")

    monkeypatch.setattr(show, "story_of", stop)
    [dead] = world.die(["a"])
    with pytest.raises(InterruptedRunError):
        show.show(world.kit(), dead, world.dlq.arn)
    assert world.visible(world.dlq) == 1


def test_an_interruption_while_the_reason_is_sought_ends_the_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found until then looks whole, and is not."""
    kit = world.kit()

    def stop(*_: object, **__: object) -> SimpleNamespace:
        kit.stop.set()
        return SimpleNamespace(reasons=Reasons())

    monkeypatch.setattr(show, "look_into", stop)
    [dead] = world.die(["a"])
    with pytest.raises(InterruptedRunError):
        show.show(kit, dead, world.dlq.arn)


def test_our_own_look_is_no_attempt_of_a_consumers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs are not read around the moment at which we were the first to receive it."""
    asked: list[Sought] = []

    def note(_kit: object, _dlq: object, sought: list[Sought], **_: object) -> SimpleNamespace:
        asked.extend(sought)
        return SimpleNamespace(reasons=Reasons(), trail=Trail())

    monkeypatch.setattr(show, "look_into", note)
    [never_received] = world.send(world.dlq, ["a"])
    show.show(world.kit(), never_received, world.dlq.arn)
    assert [each.first_received_at_ms for each in asked] == [None]


def test_without_reasons_no_log_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not want reasons does not wait for their story."""

    def never(*_: object) -> Story:
        raise AssertionError("the log was read")

    monkeypatch.setattr(show, "story_of", never)
    monkeypatch.setattr(show, "look_into", never)
    [dead] = world.die(["a"])
    kit = world.kit()
    kit.log_reading = LogReading(wanted=False)
    assert show.show(kit, dead, world.dlq.arn).reason_state is None


def test_a_note_that_list_and_story_share_is_said_once(
    world: World, story: list[Story], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have met the same log that cannot be read."""
    [dead] = world.die(["a"])
    why = "the log may not be read"
    find(monkeypatch, Reasons(unread=frozenset([dead]), notes=(why,)))
    story[0] = Story(notes=(why, "and another thing"))
    notes = show.show(world.kit(), dead, world.dlq.arn).notes
    assert (notes.count(why), notes.count("and another thing")) == (1, 1)


def test_a_journal_that_cannot_be_read_is_said_once(world: World, story: list[Story]) -> None:
    """The lineage is unknown then, and not empty."""
    world.state_dir.mkdir()
    (world.state_dir / "journal.db").mkdir()
    [dead] = world.die(["a"])
    shown = show.show(world.kit(), dead, world.dlq.arn)
    assert shown.lineage.known is False
    assert sum("journal" in note for note in shown.notes) == 1


def test_reading_begins_no_journal(world: World, story: list[Story]) -> None:
    """Nothing is left in the state directory but what a hold leaves there."""
    [dead] = world.die(["a"])
    show.show(world.kit(), dead, world.dlq.arn)
    assert not (world.state_dir / "journal.db").exists()


def test_an_imported_message_has_its_origin_from_the_journal(world: World, story: list[Story], tmp_path: Path) -> None:
    """SQS does not know it; the journal has kept it."""
    world.die(["a"])
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as run:
        run.execute()
    bring_back(world.kit(), tmp_path / "purged.jsonl")
    shown = show.show(world.kit(), dead_id(world), world.dlq.arn)
    assert (shown.message.source_arn, shown.lineage.origin_arn) == (None, world.source.arn)
    assert shown.listing.origins == {shown.message.message_id: world.source.arn}


@pytest.mark.parametrize(
    ("of_reason", "of_attempts", "header", "expected"),
    [
        (None, [], None, ()),
        (None, [], f"Root={OF_SENDER};Sampled=1", (OF_SENDER,)),
        (OF_LAST, [OF_FIRST], f"Root={OF_SENDER}", (OF_LAST, OF_SENDER)),
        (None, [OF_FIRST, OF_LAST, None], None, (OF_LAST,)),
        (None, [OF_FIRST, "https://evil.example"], None, (OF_FIRST,)),
        (f"Root={OF_SENDER}", [], f"Root={OF_SENDER}", (OF_SENDER,)),
        ("https://evil.example", ["\x1b[31m"], "Root=javascript:alert(1)", ()),
    ],
    ids=["none", "sender's", "reason's first", "last attempt's", "hostile attempt", "the same", "hostile"],
)
def test_the_traces_are_those_of_the_failure_and_of_the_sender(
    world: World,
    story: list[Story],
    monkeypatch: pytest.MonkeyPatch,
    of_reason: str | None,
    of_attempts: list[str | None],
    header: str | None,
    expected: tuple[str, ...],
) -> None:
    """The one in which it died comes first; what has not X-Ray's form is left out."""
    fields = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}} if header else {}
    [dead] = world.die(["a"], MessageSystemAttributes=fields)
    reason = Reason(type="E", message="", fingerprint="f", at_ms=1, attempts=1, trace_id=of_reason)
    find(monkeypatch, Reasons(found={dead: reason}))
    story[0] = Story(attempts=tuple(map(an_attempt, of_attempts)))
    assert show.show(world.kit(), dead, world.dlq.arn).trace_ids == expected
