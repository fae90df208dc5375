"""The books of the stateful tests: what every message is, where each copy of it came from, and whether it may go.

It stands at the line between opstool and a server and reads along. Every message that the tests send carries an
attribute that names it, so that two with the same body are still two: opstool recognises bodies, the books do not.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opstool.doors.archive import read_archive
from opstool.doors.sqs import Sqs
from opstool.doors.tail import Tail
from opstool.doors.wire import EntryFailure, Outgoing, Sent
from opstool.words.message import Attribute, Message
from opstool.words.queue import Queue
from opstool.words.record import Move

NAME = "name"
"""The message attribute that names a message for the books."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything of a message that a copy has to keep."""

    body: str
    attributes: Mapping[str, Attribute]
    trace_header: str | None = None
    group_id: str | None = None

    @property
    def name(self) -> str:
        """Return the name that the tests gave it."""
        return str(self.attributes[NAME].value)


@dataclass(kw_only=True)
class Instance:
    """One message in the queues, by its id; `run_id` is the run that made it, None for a producer."""

    message_id: str
    name: str
    queue_url: str
    run_id: str | None = None
    is_consumed: bool = False
    deleted_by: str | None = None


@dataclass(kw_only=True)
class Act:
    """What opstool is doing: a run of a verb that changes something.

    `archive` is where a purge keeps messages, and what an import reads; `keeps_nothing` is a purge without one.
    `target` and `again` are an import's.
    """

    run_id: str
    verb: str
    archive: Path | None = None
    keeps_nothing: bool = False
    target: str | None = None
    again: str = ""
    sent_in_order: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Ledger:
    """The books. `act` is None while opstool only looks: then it may neither send nor delete."""

    journal: Path
    contents: dict[str, Content] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    copies: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    confirmed: set[tuple[str, str]] = field(default_factory=set)
    handles: dict[str, str] = field(default_factory=dict)
    archives: list[Path] = field(default_factory=list)
    thrown_away: set[str] = field(default_factory=set)
    act: Act | None = None
    _sending: threading.local = field(default_factory=threading.local)

    @property
    def sending(self) -> Sequence[str]:
        """Return whose copies this thread is about to send."""
        ids: Sequence[str] = self._sending.ids
        return ids

    @sending.setter
    def sending(self, record_ids: Sequence[str]) -> None:
        self._sending.ids = record_ids

    # -- what others do

    def produced(self, content: Content, message_id: str, queue_url: str) -> None:
        """Note a message that a producer has sent."""
        self.contents[content.name] = content
        self.instances[message_id] = Instance(message_id=message_id, name=content.name, queue_url=queue_url)

    def received(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Note the handles that a server gave to opstool."""
        self.handles.update({each["ReceiptHandle"]: each["MessageId"] for each in messages})

    # -- what opstool sends

    def check_send(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Check that each is an exact copy, that its intent is on disk, and that it is no return of this run."""
        assert self.act, "a verb that only looks has sent something"
        for entry, record_id in zip(entries, self.sending, strict=True):
            content = self.contents[_content_of(entry).name]
            group = entry.get("MessageGroupId") if content.group_id is not None else None
            assert _content_of(entry, group_id=group) == content, "the copy is not exact"
            state, _, _ = self._row(record_id)
            assert state == "intent", "sent without an intent on disk"
            origin = self.instances.get(record_id)
            assert origin is None or origin.run_id != self.act.run_id, "the run feeds on its own returns"

    def sent(self, queue_url: str, entries: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> None:
        """Note what a server has accepted, answered or not; a second copy must have been counted before."""
        assert self.act
        numbers = {entry["Id"]: number for number, entry in enumerate(entries)}
        for each in answer.get("Successful", []):
            record_id, new_id = self.sending[numbers[each["Id"]]], each["MessageId"]
            _, origin, maybe_twice = self._row(record_id)
            copies = self.copies.setdefault((origin, record_id), [])
            if new_id in copies:  # a FIFO queue knows the deduplication id
                continue
            assert not copies or maybe_twice, "a second copy that nobody counts"
            if not copies:
                self.act.sent_in_order.append(record_id)
            copies.append(new_id)
            name = _content_of(entries[numbers[each["Id"]]]).name
            made = Instance(message_id=new_id, name=name, queue_url=queue_url, run_id=self.act.run_id)
            self.instances[new_id] = made

    def learned(self, answer: Mapping[str, Any]) -> None:
        """Note that opstool has got to know what became of its entries."""
        for each in answer.get("Successful", []):
            record_id = self.sending[int(each["Id"])]
            self.confirmed.add((self._row(record_id)[1], record_id))

    # -- what opstool deletes

    def check_delete(self, queue_arn: str, handles: Sequence[str]) -> None:
        """Check that what is about to be deleted is safe elsewhere, by a confirmed copy or in this run's archive."""
        assert self.act, "a verb that only looks has deleted something"
        for message_id in {self.handles[handle] for handle in handles}:
            archived = self.act.archive is not None and message_id in archived_ids(self.act.archive)
            if self.act.keeps_nothing:
                self.thrown_away.add(message_id)
            elif not archived:
                assert (queue_arn, message_id) in self.confirmed, "deleted before its copy was confirmed"

    def deleted(self, answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
        """Note which messages a server says are gone."""
        handles = {entry["Id"]: entry["ReceiptHandle"] for entry in entries}
        assert self.act
        for each in answer.get("Successful", []):
            self.instances[self.handles[handles[each["Id"]]]].deleted_by = self.act.run_id

    # -- what can be asked afterwards

    def doubled(self, run_id: str) -> set[str]:
        """Return the record ids of which a run has made a further copy."""
        return {
            record_id
            for (_, record_id), new_ids in self.copies.items()
            if any(self.instances[each].run_id == run_id for each in new_ids[1:])
        }

    def copies_of(self, run_id: str) -> set[str]:
        """Return the ids of the messages that a run has made."""
        return {key for key, each in self.instances.items() if each.run_id == run_id}

    def begun(self, run_id: str, *, unanswered: bool = False) -> set[str]:
        """Return the record ids that a run has written intents for, or only those of which a send had no answer."""
        return {move.record_id for move in self._moves(run_id) if move.unknown_sends >= int(unanswered)}

    def bodies_of_lost_sends(self, run_id: str) -> set[str]:
        """Return the bodies of the messages of a run of which a send was never answered."""
        lost = self.begun(run_id, unanswered=True) & self.instances.keys()
        return {self.contents[self.instances[key].name].body for key in lost}

    def archived_names(self) -> set[str]:
        """Return the names of everything that lies in an archive."""
        return {
            str(record.message.attributes[NAME].value)
            for path in self.archives
            if path.exists() and path.stat().st_size
            for record in read_archive(path)
        }

    def _row(self, record_id: str) -> tuple[str, str, bool]:
        """Return state, origin and `maybe_twice` of a move of this run, as another process reads them."""
        assert self.act
        found = [move for move in self._moves(self.act.run_id) if move.record_id == record_id]
        assert found, "sent without a record of it"
        [move] = found
        return move.state, move.origin, bool(move.maybe_twice)

    def _moves(self, run_id: str) -> list[Move]:
        """Return what the file says of a run, as another process reads it."""
        with closing(sqlite3.connect(self.journal)) as database:  # a journal of its own would be a step of its process
            database.row_factory = sqlite3.Row
            tail = Tail()
            tail.begin(database)
            return tail.find(database, lambda move: move, "run_id", run_id)


class WatchedSqs(Sqs):
    """opstool's own door, which tells the books whose copies it is about to send."""

    ledger: Ledger

    def send_batch(self, queue: Queue, entries: Sequence[Outgoing]) -> list[Sent | EntryFailure | None]:
        """Tell, then send."""
        self.ledger.sending = [entry.message.message_id for entry in entries]
        return super().send_batch(queue, entries)


def archived_ids(path: Path) -> set[str]:
    """Return the ids of the messages that lie in an archive now."""
    return {record.message.message_id for record in read_archive(path)} if path.exists() else set()


def content_of(message: Message) -> Content:
    """Return what a copy of a message has to keep."""
    return Content(
        body=message.body,
        attributes=message.attributes,
        trace_header=message.trace_header,
        group_id=message.group_id,
    )


def _content_of(entry: Mapping[str, Any], *, group_id: str | None = None) -> Content:
    """Return what an entry of a send says."""
    attributes = {
        name: Attribute(type=raw["DataType"], value=raw["BinaryValue"] if "BinaryValue" in raw else raw["StringValue"])
        for name, raw in entry.get("MessageAttributes", {}).items()
    }
    header = entry.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {}).get("StringValue")
    return Content(body=entry["MessageBody"], attributes=attributes, trace_header=header, group_id=group_id)
