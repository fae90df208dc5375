"""One seed: a run that dies twice and is resumed until it is done, and what must hold after each of its ends."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from opstool.doors.archive import ArchiveWriter, read_archive
from opstool.words.message import Message
from opstool.words.record import State
from tests.faults.crash.scene import CHOSEN, Scene
from tests.faults.crash.shop import Ended, Shop
from tests.faults.crash.torn import sound_bodies

OUTCOMES = ("succeeded", "skipped", "failed", "released", "returned")
_KILLED, _INTERRUPTED, _PARTIAL = -9, 130, 3
_BUSY_LIVES = 5
_LATE = {"not_deleted", "gone"}


@dataclass(kw_only=True)
class Told:
    """What became of a scene: how often it ended early, and what was sent twice."""

    kills: int = 0
    doubled: int = 0
    counted: int = 0


@dataclass(kw_only=True)
class Story:
    """One scene in one shop, told by `tell`. `archives` are what purges have begun, or what is imported."""

    scene: Scene
    shop: Shop
    archives: list[Path] = field(default_factory=list)
    archive_folder: Path | None = None
    told: Told = field(default_factory=Told)
    named: set[str] = field(default_factory=set)

    def tell(self) -> Told:
        """Begin, die, resume, die, resume to the end; check what must hold after each."""
        self.prepare()
        for point in (*self.scene.deaths, None):
            end = self.shop.run(*self.command(), point=point)
            if end.status not in {_KILLED, _INTERRUPTED}:
                self.check_end(self._delete_the_late(end))
                return self.told
            assert point is not None, "it was ended by somebody else"
            assert end.status == (_KILLED if point.kills else _INTERRUPTED), end.err
            self.told.kills += 1
            if len(point.signals) == 1 and not point.kills:
                self.check_settled(end)
            self.check_kept()
            assert [run.status for run in self.shop.runs()] in (["interrupted"], ["done"], []), "a dead run lives on"
        raise AssertionError("the last life has no end")

    def prepare(self) -> None:
        """Let the messages die, or write the archive that is imported."""
        bodies = self.scene.bodies()
        if self.scene.verb == "import":
            self.archives.append(_archive_of(self.shop, bodies, compressed=self.scene.compressed))
        else:
            self.shop.fill(bodies)

    def _delete_the_late(self, end: Ended) -> Ended:
        """Resume a run once more where the machine was too busy for leases of two seconds.

        They lapse before a delete, or a receive that a dead process had asked for is carried out late, and hides its
        messages from whoever resumes. The run says so itself, with status 3 and by name; what it has sent, the next
        life deletes and does not send.
        """
        for _ in range(_BUSY_LIVES):
            if end.status != _PARTIAL or not {each["code"] for each in end.document["failures"]} <= _LATE:
                break
            self.check_kept()
            end = self.shop.run("resume", self.shop.runs()[0].run_id, "--yes")
        return end

    def command(self) -> tuple[str, ...]:
        """Return the command line of the next life: a resume, or once more the first when nothing was begun."""
        runs = self.shop.runs()
        if runs:
            # After its last commit a run is done, and there is nothing to resume.
            done = runs[0].status == "done"
            return ("history", runs[0].run_id) if done else ("resume", runs[0].run_id, "--yes")
        self.shop.await_leases()
        if self.scene.verb == "import":
            return ("dlq", "import", str(self.archives[0]), "--yes")
        selection = ("--body-contains", CHOSEN) if self.scene.chosen else ()
        if self.scene.verb == "redrive":
            return ("dlq", "redrive", self.shop.dlq, "--yes", *selection)
        number = sum(archive.exists() for archive in self.purged())  # killed before it began, it leaves an empty file
        archive = (
            self.archive_folder or self.shop.folder
        ) / f"archive-{number}.jsonl{'.gz' if self.scene.compressed else ''}"
        if archive not in self.archives:
            self.archives.append(archive)
        return ("dlq", "purge", self.shop.dlq, "--confirm", self.shop.dlq, "--archive", str(archive), *selection)

    # -- what must hold

    def check_kept(self) -> None:
        """Nothing is lost, and what was sent twice was counted before."""
        shop, verb = self.shop, self.scene.verb
        kept = shop.left() + shop.there() + Counter(body for each in self.purged() for body in sound_bodies(each))
        if verb != "import":  # whose archive nobody touches
            lost = set(self.scene.bodies()) - kept.keys()
            assert not lost, f"{len(lost)} lost"
        copies = shop.left() if verb == "import" else shop.there()
        moves = {self._body_of(move.record_id): move for move in shop.moves()}
        unknown = copies.keys() - moves.keys()
        assert not unknown, f"{len(unknown)} sent without a record"
        doubled = {body for body, number in copies.items() if number > 1}
        uncounted = {body for body in doubled if not moves[body].maybe_twice}
        assert not uncounted, f"{len(uncounted)} sent twice and not counted"
        self.told.doubled = len(doubled)
        self.told.counted = sum(move.maybe_twice for move in moves.values())
        assert self.told.counted <= self.told.kills * self.scene.workers * 10, "counted more than was in hand"
        if self.scene.fifo:
            check_order(shop.world.bodies(shop.world.dlq if verb == "import" else shop.world.source))
            assert not doubled, "the same deduplication id must not be delivered twice"

    def check_settled(self, end: Ended) -> None:
        """One signal: what was in hand is settled, the rest is visible at once, and the screen says so."""
        shop = self.shop
        assert "interrupted" in end.err or end.document["type"] == "error"
        assert shop.hidden() == 0, "it left messages hidden"
        runs = shop.runs()
        if not runs:  # it was still looking
            assert (end.document["type"], end.document["code"]) == ("error", "interrupted")
            assert not shop.there()
            assert self.scene.verb == "import" or shop.left() == Counter(self.scene.bodies())
            return
        assert end.document["status"] == runs[0].status
        assert end.document["received"] == sum(end.document[each] for each in OUTCOMES)
        # What an earlier life has named may still be hidden from this one.
        self.named |= {each for failure in end.document["failures"] for each in failure["message_ids"]}
        unsettled = {move.record_id: move.state.value for move in shop.moves() if move.state is not State.SETTLED}
        assert unsettled.keys() <= self.named, f"it left something unsettled, and does not say so: {unsettled}"
        everywhere = shop.left() + shop.there() + Counter(body for each in self.purged() for body in sound_bodies(each))
        twice = {self._id_of(body) for body, number in everywhere.items() if number > 1}
        assert twice <= self.named, "what was in hand was not finished"

    def purged(self) -> list[Path]:
        """Return the archives that purges have begun."""
        return [self.shop.seen(each) for each in self.archives] if self.scene.verb == "purge" else []

    def check_end(self, end: Ended) -> None:
        """Everything is where it was meant to be, and the report says so."""
        assert end.status == 0, end.out + end.err
        [run] = self.shop.runs()
        assert run.status == "done"
        report = run.report or {}
        assert report["received"] == sum(report[each] for each in OUTCOMES)
        assert report["failed"] == 0
        assert report["failures"] == []
        self.check_kept()
        assert report["possibly_sent_twice"] == self.told.counted
        everything = Counter(self.scene.bodies())
        meant = Counter({body: 1 for body in everything if not self.scene.chosen or CHOSEN in body})
        if self.scene.verb == "import":
            assert self.shop.left().keys() == meant.keys()
            return
        assert self.shop.left() == everything - meant
        if self.scene.verb == "redrive":
            assert self.shop.there().keys() == meant.keys()
            return
        archived = [
            record.message.body for archive in self.archives if archive.exists() for record in read_archive(archive)
        ]
        assert Counter(archived) == meant
        assert {stat.S_IMODE(archive.stat().st_mode) for archive in self.archives if archive.exists()} == {0o600}

    def _id_of(self, body: str) -> str:
        return self.shop.ids[body]

    def _body_of(self, record_id: str) -> str:
        """Return the body of a journal's record; an import's name a message and a hash of its content."""
        by_id = {message_id: body for body, message_id in self.shop.ids.items()}
        return by_id[record_id.partition(":")[0]]


def check_order(bodies: Iterable[str]) -> None:
    """Check that the messages of each group stand in the order of their numbers."""
    last: dict[str, int] = {}
    for body in bodies:
        group, _, number = body.split(" ")[0].partition(":")
        assert last.get(group, -1) < int(number), f"group {group} lost its order"
        last[group] = int(number)


def _archive_of(shop: Shop, bodies: list[str], *, compressed: bool) -> Path:
    """Write an archive of messages of the dead-letter queue, in which they are not any more."""
    path = shop.folder / f"archive.jsonl{'.gz' if compressed else ''}"
    shop.ids.update({body: f"message-{number}" for number, body in enumerate(bodies)})
    messages = [Message(message_id=shop.ids[body], body=body, group_id=body[0]) for body in bodies]
    with ArchiveWriter(path, queue_arn=shop.world.dlq.arn, archive_id="made-by-hand") as writer:
        writer.append(messages)
    return path
