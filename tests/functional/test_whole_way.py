"""One message all the way: consumer, three failures, DLQ, list, redrive, consumer again, mended, purged, undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opstool.verbs import browse, export, importing, purge, redrive
from opstool.words.report import Status
from tests.functional.conftest import Deployed

POISON = {"poison": "not what the consumer expects"}


def _fail_lines(deployed: Deployed) -> list[dict[str, object]]:
    return [line for line in deployed.log_lines() if line.get("event") == "record_failed"]


def test_a_message_dies_after_three_attempts_and_its_reason_is_found(deployed: Deployed) -> None:
    """Good messages are consumed; a poison one is tried three times, dead-lettered with its source, and explained."""
    deployed.send({"message": "one"}, POISON, {"message": "two"})
    deployed.wait_for(source=0, dead=1)

    listing = browse.list_messages(deployed.kit)

    assert [json.loads(message.body) for message in listing.messages] == [POISON]
    message = listing.messages[0]
    assert message.source_arn == deployed.aws.outputs["ProcessingQueueARN"]
    reason = listing.reasons.found[message.message_id]
    assert (reason.type, reason.attempts) == ("PermanentError", 3)
    assert reason.log_group == deployed.aws.outputs["ProcessorLogGroupName"]
    assert len(_fail_lines(deployed)) == 3
    assert deployed.depths() == (0, 1)


def test_a_redrive_without_mending_brings_the_message_back_under_a_new_id(deployed: Deployed) -> None:
    """What was redriven is tried again by the real consumer, dies again, and is recognised by its new id."""
    deployed.send(POISON)
    deployed.wait_for(source=0, dead=1)
    first = browse.list_messages(deployed.kit, reasons=False).messages[0].message_id

    with redrive.prepare(deployed.kit) as run:
        report = run.execute()
    deployed.wait_for(source=0, dead=1)
    again = browse.list_messages(deployed.kit, reasons=False).messages[0].message_id

    assert (report.status, report.counts.succeeded) == (Status.DONE, 1)
    assert again != first
    move = deployed.kit.journal.origin_of(again)
    assert move is not None
    assert move.record_id == first
    assert {line["message_id"] for line in _fail_lines(deployed)} == {first, again}


def test_an_exported_message_is_mended_and_consumed(deployed: Deployed, tmp_path: Path) -> None:
    """Export, edit, import to the source: the consumer takes it, and the original is still in the DLQ."""
    deployed.send(POISON)
    deployed.wait_for(source=0, dead=1)
    file = tmp_path / "dead.jsonl"
    export.export(deployed.kit, to=file)
    document = json.loads(file.read_text())
    document["body"] = json.dumps({"message": "mended"})
    file.write_text(json.dumps(document) + "\n")

    with importing.prepare(deployed.kit, file, to_source=True) as run:
        report = run.execute()
    deployed.wait_for(source=0, dead=1)

    assert report.counts.succeeded == 1
    assert [line["text"] for line in deployed.log_lines() if line.get("event") == "message_processed"] == ["mended"]


def test_a_purge_is_undone_by_the_import_of_its_archive(deployed: Deployed) -> None:
    """After a purge the DLQ is empty; importing the archive brings the message back, and it redrives to its source."""
    deployed.send(POISON)
    deployed.wait_for(source=0, dead=1)
    with purge.prepare(deployed.kit) as run:
        report = run.execute()
    assert deployed.depths() == (0, 0)

    assert report.archive is not None
    with importing.prepare(deployed.kit, Path(report.archive)) as run:
        run.execute()
    assert deployed.depths() == (0, 1)
    back = browse.list_messages(deployed.kit, reasons=False).messages[0]
    assert json.loads(back.body) == POISON
    with redrive.prepare(deployed.kit) as run:
        redriven = run.execute()

    assert redriven.counts.succeeded == 1
    deployed.wait_for(source=0, dead=1)


@pytest.mark.parametrize("deployed", ["fifo"], indirect=True)
def test_a_fifo_stack_keeps_its_groups_all_the_way(deployed: Deployed) -> None:
    """A poison message of one group dies, the other group goes on, and a redrive gives the group back."""
    for number, body in enumerate([{"message": "a"}, POISON]):
        deployed.send(body, MessageGroupId=f"group-{number}", MessageDeduplicationId=f"unique-{number}")
    deployed.wait_for(source=0, dead=1)

    with redrive.prepare(deployed.kit) as run:
        report = run.execute()
    deployed.wait_for(source=0, dead=1)
    listing = browse.list_messages(deployed.kit)

    assert report.counts.succeeded == 1
    assert [message.group_id for message in listing.messages] == ["group-1"]
    assert [reason.type for reason in listing.reasons.found.values()] == ["PermanentError"]
