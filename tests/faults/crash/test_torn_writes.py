"""Death in the middle of a write to the disk, and power cuts that take what was not yet synced."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.crash.points import APPEND, DELETE, END, RECEIVE, SEND, SYNCED, Point, Side
from tests.faults.crash.scene import Scene
from tests.faults.crash.shop import Shop
from tests.faults.crash.story import Story
from tests.faults.results import RecordRun
from tests.faults.scale import FULL

SEEDS = 6 if FULL else 2
_LONG_BODY = 24_000
cuts = pytest.mark.parametrize("zeroed", [False, True], ids=["cut off", "zeros"])
_FRAME_HEAD, _FRAME = 24, 24 + 4_096
"""Bytes of SQLite's log for a page: https://sqlite.org/fileformat2.html#the_write_ahead_log"""
_LAST = 5
"""Times of an act after which a run of sixty messages still has something to do."""
# What the commit is for that dies in its middle: it is the first after an act, wherever the log has come to by then.
# That of the end is the first of those, and the fold, in which a journal is written together, is what comes after it.
STAGES = {
    ("redrive", "claim"): RECEIVE,
    ("redrive", "confirmation"): SEND,
    ("redrive", "settlement"): DELETE,
    ("redrive", "end"): END,
    ("redrive", "fold"): END,
    ("purge", "confirmation"): APPEND,
    ("purge", "settlement"): DELETE,
    ("purge", "end"): END,
    ("purge", "fold"): END,
    ("import", "confirmation"): SEND,
    ("import", "end"): END,
    ("import", "fold"): END,
}
ALL = len(STAGES) * (SEEDS // 2)
each_stage = pytest.mark.parametrize(
    ("verb", "stage", "seed"),
    [(*each, number + len(STAGES) * turn) for number, each in enumerate(STAGES) for turn in range(SEEDS // 2)],
)


def scene_of(verb: str, seed: int, *, padding: int = 0) -> Scene:
    """Return a run of sixty messages."""
    compressed = seed % 2 == 1
    return Scene(
        seed=seed,
        verb=verb,
        fifo=False,
        chosen=False,
        compressed=compressed,
        messages=60,
        workers=1 + seed % 3,
        padding=padding,
    )


def resume(story: Story, record_run: RecordRun, row: str, *, seeds: int = SEEDS) -> None:
    """Check what the death has left, go on to the end, and check that."""
    story.told.kills += 1
    try:
        story.check_kept()
        # A run is done before its log is folded: a death in the fold takes nothing of it back.
        assert [run.status for run in story.shop.runs()] in (["interrupted"], ["done"], [])
        story.check_end(story.shop.run(*story.command()))
    finally:
        told = story.told
        record_run(
            "Crashes",
            row,
            messages=story.scene.messages,
            seeds=f"0 to {seeds - 1}",
            strikes=told.kills,
            doubled=told.doubled,
            counted=told.counted,
        )


def lose_unsynced(file: Path, synced: int, random: Random, *, zeroed: bool) -> None:
    """Do to a file what a power cut may: keep what was synced, and of the rest a beginning, or zeros for its end.

    A sync that has returned promises the bytes before it, and nothing promises those after it: the file system may
    have written some of them, or only the file's new length.
    """
    size = file.stat().st_size
    keep = random.randint(synced, size)
    os.truncate(file, keep)
    if zeroed:
        os.truncate(file, size)


def tear(story: Story, stage: str, random: Random, **limits: Any) -> None:
    """Let a process die in the middle of a commit of this stage, and check that it was one."""
    shop, act = story.shop, STAGES[story.scene.verb, stage]
    # In the head of a frame or in its page; a fold has several.
    least, most = random.choice(((1, _FRAME_HEAD - 1), (_FRAME_HEAD, _FRAME - 1)))
    point = Point(
        act=act,
        side="before" if stage == "end" else "after",
        number=1 if act == END else random.randint(1, _LAST),
        grows_bytes=random.randint(least, most) + (random.randint(0, 3) * _FRAME if stage == "fold" else 0),
    )
    before = shop.world.fake.requests[act]
    end = shop.run(*story.command(), point=point, torn=True, **limits)
    assert end.status == -signal.SIGXFSZ, f"{point}: {end.err}"
    assert [run.status for run in shop.runs()] == (["done"] if stage == "fold" else ["interrupted"])
    if act in {RECEIVE, SEND, DELETE}:  # each worker may have asked for one more before the commit began
        asked = shop.world.fake.requests[act] - before
        assert point.number <= asked < point.number + story.scene.workers


@each_stage
def test_a_process_that_dies_in_the_middle_of_a_commit_loses_nothing(
    verb: str, stage: str, seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """The kernel writes a part of it, and kills the process."""
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of(verb, seed), shop=shop)
    story.prepare()
    tear(story, stage, Random(f"torn/{verb}/{stage}/{seed}"))
    resume(story, record_run, f"{verb}: death in a write of the journal", seeds=ALL)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_process_that_dies_in_the_middle_of_an_append_loses_nothing(
    seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """At a seeded size of the archive."""
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of("purge", seed, padding=_LONG_BODY), shop=shop)
    story.prepare()
    bound = Random(f"torn/purge/archive/{seed}").randint(400_000, 700_000)
    assert shop.run(*story.command(), file_bytes=bound, torn=True).status == -signal.SIGXFSZ
    resume(story, record_run, "purge: death in a write of the archive")


@each_stage
def test_a_power_cut_that_takes_the_end_of_the_journal_loses_nothing(
    verb: str, stage: str, seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """What no commit has returned for was not acted on: no send, no delete came of it."""
    random, zeroed = Random(f"power/{verb}/{stage}/{seed}"), seed % 2 == 1
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of(verb, seed), shop=shop)
    story.prepare()
    tear(story, stage, random, notes_syncs_of="journal")
    synced = int((shop.folder / SYNCED).read_text())
    lose_unsynced(shop.state_dir / "journal.db-wal", synced, random, zeroed=zeroed)
    resume(story, record_run, f"{verb}: power cut in a write of the journal", seeds=ALL)


@cuts
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_power_cut_that_takes_the_end_of_the_archive_loses_nothing(
    zeroed: bool, seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """An append that has not returned was not confirmed: its messages are still in the queue."""
    random = Random(f"power/archive/{zeroed}/{seed}")
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of("purge", seed), shop=shop)
    story.prepare()
    side: Side = "middle" if seed % 2 else "after"
    point = Point(act=APPEND, side=side, number=random.randint(1, 5), share=1.0 if seed < 3 else random.random())
    assert shop.run(*story.command(), point=point, notes_syncs_of="archive").status == -signal.SIGKILL
    [archive] = story.archives
    lose_unsynced(archive, int((shop.folder / SYNCED).read_text()), random, zeroed=zeroed)
    resume(story, record_run, "purge: power cut in a write of the archive")
