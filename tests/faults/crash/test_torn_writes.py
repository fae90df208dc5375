"""Death in the middle of a write to the disk, and power cuts that take what was not yet synced."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.crash.points import APPEND, SYNCED, Point, Side
from tests.faults.crash.scene import Scene
from tests.faults.crash.shop import Shop
from tests.faults.crash.story import Story
from tests.faults.results import RecordRun
from tests.faults.scale import FULL

SEEDS = 6 if FULL else 2
_LONG_BODY = 24_000
cuts = pytest.mark.parametrize("zeroed", [False, True], ids=["cut off", "zeros"])


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


def resume(story: Story, record_run: RecordRun, row: str) -> None:
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
            seeds=f"0 to {SEEDS - 1}",
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


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize(
    ("verb", "where"), [("redrive", "journal"), ("purge", "journal"), ("import", "journal"), ("purge", "archive")]
)
def test_a_process_that_dies_in_the_middle_of_a_write_loses_nothing(
    verb: str, where: str, seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """The kernel writes a part of it, up to a seeded size of the file, and kills the process."""
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of(verb, seed, padding=_LONG_BODY if where == "archive" else 0), shop=shop)
    story.prepare()
    least, most = (8_192, 200_000) if where == "journal" else (400_000, 700_000)
    bound = Random(f"torn/{verb}/{where}/{seed}").randint(least, most)
    assert shop.run(*story.command(), file_bytes=bound, torn=True).status == -signal.SIGXFSZ
    resume(story, record_run, f"{verb}: death in a write of the {where}")


@cuts
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("verb", ["redrive", "purge", "import"])
def test_a_power_cut_that_takes_the_end_of_the_journal_loses_nothing(
    verb: str, zeroed: bool, seed: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """What no commit has returned for was not acted on: no send, no delete came of it."""
    random = Random(f"power/{verb}/{zeroed}/{seed}")
    shop = open_a_shop(workers=1 + seed % 3)
    story = Story(scene=scene_of(verb, seed), shop=shop)
    story.prepare()
    bound = random.randint(60_000, 200_000)
    assert shop.run(*story.command(), file_bytes=bound, torn=True, notes_syncs_of="journal").status == -signal.SIGXFSZ
    synced = int((shop.folder / SYNCED).read_text())
    lose_unsynced(shop.state_dir / "journal.db-wal", synced, random, zeroed=zeroed)
    resume(story, record_run, f"{verb}: power cut in a write of the journal")


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
