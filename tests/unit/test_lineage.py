"""What the journal knows of a message that was sent before: read, and never begun or written."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.lineage import lineage_of, origins_of
from opstool.verbs import browse, export, importing, purge, redrive, testbatch
from opstool.verbs.groups import group_messages
from opstool.words.filters import Selection
from opstool.words.lineage import Lineage
from opstool.words.message import Message
from tests.world import World


def execute_redrive(world: World, message_id: str) -> str:
    """Send a message back and let it die again; return the run's id."""
    with redrive.prepare(world.kit(), world.dlq.arn, Selection(ids=frozenset([message_id]))) as run:
        run.execute()
    world.reject_all(world.source)
    return run.plan.run_id


def dead_id(world: World) -> str:
    """Return the id of the one message in the dead-letter queue."""
    [message] = world.stored(world.dlq)
    return message.message_id


def bring_back(kit: Toolkit, archive: Path, *, to_source: bool = False, again: bool = False) -> str:
    """Import an archive; return the run's id."""
    with importing.prepare(kit, archive, to_source=to_source, again=again) as run:
        run.execute()
    return run.plan.run_id


def lineage(world: World, message_id: str, kit: Toolkit | None = None) -> Lineage:
    """Return the lineage of a message in the dead-letter queue."""
    return lineage_of(kit or world.kit(), message_id, queue_arn=world.dlq.arn)


def test_each_return_names_its_run_and_the_id_before(world: World) -> None:
    """The newest first, back to the message that was sent to the source in the first place."""
    [first] = world.die(["a"])
    runs, ids = [], [first]
    for _ in range(3):
        runs.append(execute_redrive(world, ids[-1]))
        ids.append(dead_id(world))
    found = lineage(world, ids[-1])
    assert [each.run_id for each in found.passages] == runs[::-1]
    assert [each.message_id for each in found.passages] == ids[-2::-1]
    assert {(each.verb, each.archive) for each in found.passages} == {("redrive", None)}
    assert (found.returned, found.known, found.note) == (3, True, None)


def test_when_it_was_sent_is_told(world: World) -> None:
    """In epoch milliseconds, of the moment in which the run meant to send."""
    [first] = world.die(["a"])
    world.clock.advance(100)
    before_ms = world.clock.wall() * 1000
    execute_redrive(world, first)
    [passage] = lineage(world, dead_id(world)).passages
    assert before_ms <= passage.at_ms <= world.clock.wall() * 1000


def test_a_message_that_was_never_sent_by_us_has_none(world: World) -> None:
    """With a journal that knows of others."""
    [first, other] = world.die(["a", "b"])
    execute_redrive(world, first)
    assert lineage(world, other) == Lineage()


def test_where_there_is_no_journal_none_is_begun(world: World) -> None:
    """Looking leaves no file behind, not even a folder."""
    [first] = world.die(["a"])
    kit = world.kit()
    assert lineage(world, first, kit) == Lineage()
    assert origins_of(kit, [Message(message_id="x", body="")]) == ({}, None)
    assert not world.state_dir.exists()


def test_an_import_is_followed_through_its_archive(world: World, tmp_path: Path) -> None:
    """It came back once by the redrive before the purge; the import itself put it there."""
    [first] = world.die(["a"])
    redriven = execute_redrive(world, first)
    second = dead_id(world)
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as run:
        run.execute()
    [line] = (tmp_path / "purged.jsonl").read_text(encoding="ascii").splitlines()
    imported = bring_back(world.kit(), tmp_path / "purged.jsonl")
    found = lineage(world, dead_id(world))
    assert [(each.verb, each.run_id, each.message_id) for each in found.passages] == [
        ("import", imported, second),
        ("redrive", redriven, first),
    ]
    assert [each.archive for each in found.passages] == [json.loads(line)["archive"], None]
    assert (found.returned, found.origin_arn) == (1, world.source.arn)


def test_an_import_to_the_source_that_died_again_has_come_back(world: World, tmp_path: Path) -> None:
    """What counts is where it was sent."""
    world.die(["a"])
    export.export(world.kit(), world.dlq.arn, to=tmp_path / "kept.jsonl")
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as run:
        run.execute()
    bring_back(world.kit(), tmp_path / "kept.jsonl", to_source=True)
    world.reject_all(world.source)
    assert lineage(world, dead_id(world)).returned == 1


def test_a_line_from_elsewhere_may_have_had_no_id(world: World) -> None:
    """Then the way back ends there."""
    kit = world.kit()
    with importing.prepare(kit, io.BytesIO(b'{"body": "a"}\n'), to=world.dlq.arn) as run:
        run.execute()
    [passage] = lineage(world, dead_id(world)).passages
    assert (passage.message_id, passage.verb) == (None, "import")


def test_a_test_message_was_made_and_not_sent_again(world: World) -> None:
    """It never was another message."""
    testbatch.prepare(world.kit(), world.source.arn, messages=testbatch.made_up(1)).execute()
    world.reject_all(world.source)
    assert lineage(world, dead_id(world)).passages == ()


def test_an_archive_whose_ids_lead_in_a_circle_ends(world: World, tmp_path: Path) -> None:
    """Whoever writes an archive by hand can give a line the id that its copy was given in an earlier import."""
    line = json.dumps({"body": "a", "message_id": "first", "queue": world.dlq.arn, "archive": "one"})
    (tmp_path / "one.jsonl").write_text(line + "\n", encoding="ascii")
    bring_back(world.kit(), tmp_path / "one.jsonl")
    given = dead_id(world)
    kit = world.kit()
    [move] = kit.journal._database.rows("SELECT * FROM moves WHERE new_id = ?", given)
    kit.journal._database.commit(
        lambda database: database.execute(
            "UPDATE moves SET record_id = ? WHERE new_id = ?", (move["record_id"].replace("first", given), given)
        )
    )
    assert [each.message_id for each in lineage(world, given).passages] == [given]


def test_a_way_back_without_end_is_cut(world: World) -> None:
    """Fifty steps are more than anybody reads."""
    kit = world.kit()
    rows = [(world.dlq.arn, f"m-{number}", f"m-{number + 1}", world.source.arn) for number in range(200)]
    kit.journal._database.commit(
        lambda database: database.executemany(
            "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, target, intent_at_ms,"
            " updated_at_ms) VALUES (?, ?, 'forgotten', '', 'settled', ?, ?, 1, 1)",
            rows,
        )
    )
    found = lineage(world, "m-200", kit)
    assert (len(found.passages), {each.verb for each in found.passages}) == (50, {None})


@pytest.mark.parametrize("broken", ["folder", "file"])
def test_a_journal_that_cannot_be_read_is_a_note(world: World, broken: str) -> None:
    """What is not known is not said to be nothing."""
    [first] = world.die(["a"])
    world.state_dir.mkdir()
    place = world.state_dir / "journal.db"
    place.mkdir() if broken == "folder" else place.write_text("no database, and longer than a header of SQLite's" * 99)
    found = lineage(world, first)
    assert (found.known, found.passages) == (False, ())
    assert found.note is not None
    assert found.note.startswith("whether this message was sent before is not known: the journal `")


def test_a_state_directory_that_may_not_be_looked_into_is_a_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there is a journal cannot be told then."""

    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)
    note = lineage(world, "x").note
    assert note is not None
    assert note.endswith("cannot be used: Permission denied")


def test_a_listing_has_the_source_that_only_the_journal_knows(world: World, tmp_path: Path) -> None:
    """SQS tells of no source for what came back by an import; of what died by itself the journal is not asked."""
    world.die(["a", "b"])
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as run:
        run.execute()
    bring_back(world.kit(), tmp_path / "purged.jsonl")
    [dead] = world.die(["c"])
    listing = browse.list_messages(world.kit(), world.dlq.arn)
    imported = {each.message_id for each in listing.messages} - {dead}
    assert listing.origins == dict.fromkeys(imported, world.source.arn)


def test_filters_and_groups_see_the_source_that_the_journal_knows(world: World, tmp_path: Path) -> None:
    """A message that came back by an import has none of SQS's; one that was put in by hand has none at all."""
    world.die(["a"])
    with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as run:
        run.execute()
    bring_back(world.kit(), tmp_path / "purged.jsonl")
    imported = dead_id(world)
    [by_hand] = world.send(world.dlq, ["b"])
    by_source = {
        each.source_arn: each.message_ids for each in group_messages(world.kit(), world.dlq.arn, by="source").groups
    }
    assert by_source == {world.source.arn: (imported,), None: (by_hand,)}
    for selection, expected in (
        (Selection(source="orders"), imported),
        (Selection(where="ends_with(source_queue, ':orders')"), imported),
        (Selection(where="source_queue == `null`"), by_hand),
    ):
        listed = browse.list_messages(world.kit(), world.dlq.arn, selection)
        [group] = group_messages(world.kit(), world.dlq.arn, selection).groups
        with redrive.prepare(world.kit(), world.dlq.arn, selection) as run:
            planned = run.plan.ids
        assert [each.message_id for each in listed.messages] == [expected]
        assert (group.message_ids, planned) == ((expected,), {expected})
        exported = export.export(world.kit(), world.dlq.arn, selection, to=io.BytesIO())
        assert (exported.counts.succeeded, exported.counts.skipped) == (1, 1)


def test_the_sources_of_many_messages_are_one_question(world: World) -> None:
    """Ten thousand ids are no more than SQLite takes."""
    kit = world.kit()
    kit.journal._database.commit(
        lambda database: database.execute(
            "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, source_arn, intent_at_ms,"
            " updated_at_ms) VALUES ('arn:x', 'm', 'run', '', 'settled', 'id-7777', 'arn:source', 1, 1)"
        )
    )
    messages = [Message(message_id=f"id-{number}", body="") for number in range(10_000)]
    assert origins_of(kit, messages) == ({"id-7777": "arn:source"}, None)


def test_a_listing_goes_on_without_the_journal(world: World) -> None:
    """Its note says what was not asked; where SQS tells every source nothing is missing, and nothing is said."""
    world.send(world.dlq, ["put in by hand"])
    world.state_dir.mkdir()
    (world.state_dir / "journal.db").mkdir()
    listing = browse.list_messages(world.kit(), world.dlq.arn)
    assert len(listing.messages) == 1
    assert sum("the journal was not asked" in note for note in listing.notes) == 1
    world.ask("PurgeQueue", world.dlq)
    world.die(["a"])
    assert not any("journal" in note for note in browse.list_messages(world.kit(), world.dlq.arn).notes)


def test_reading_takes_no_lock_that_a_run_would_wait_for(world: World) -> None:
    """A run that writes meanwhile is not disturbed: the journal is read in WAL mode."""
    [first] = world.die(["a"])
    execute_redrive(world, first)
    kit = world.kit()
    assert lineage(world, dead_id(world), kit).returned == 1
    with sqlite3.connect(world.state_dir / "journal.db", timeout=0, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()


def test_a_source_that_the_journal_does_not_know_is_left_out(world: World) -> None:
    """What was put into the queue by hand and sent on has none."""
    kit = world.kit()
    kit.journal._database.commit(
        lambda database: database.execute(
            "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, intent_at_ms, updated_at_ms)"
            " VALUES ('arn:x', 'm', 'run', '', 'settled', 'new', 1, 1)"
        )
    )
    assert origins_of(kit, [Message(message_id="new", body="")]) == ({}, None)
