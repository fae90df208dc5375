"""A disk that fills up under the journal or the archive: said, nothing lost, and gone on with once there is room."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from opstool.doors.archive import read_archive
from tests.faults.crash.disk import NoDiskError, SmallDisk
from tests.faults.crash.scene import Scene
from tests.faults.crash.shop import Ended, Shop
from tests.faults.crash.story import Story
from tests.faults.crash.torn import sound_bodies
from tests.faults.results import RecordRun
from tests.faults.scale import FULL

LEVELS = 6 if FULL else 2
_LONG_BODY = 24_000
"""Sixty of them are more than the whole disk, compressed or not by half."""
_DISK_CODES = {"journal_unusable", "state_dir_unwritable", "storage"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount a disk of one MiB."""
    try:
        disk = SmallDisk(tmp_path / "disk")
    except NoDiskError:
        if os.environ.get("CI"):
            raise
        pytest.skip("this machine lets nobody mount a tmpfs, not even in a namespace of its own")
    with disk:
        yield disk


def check_failed(end: Ended, story: Story) -> None:
    """Check what a full disk must leave: status 1 and a clear word, and nothing sent without its record."""
    assert end.status == 1, (end.out, end.err)
    assert "Traceback" not in end.err
    document = end.document
    codes = {each["code"] for each in document.get("failures", [])} | {document.get("code")}
    assert codes & _DISK_CODES or "cannot be" in end.out, end.out
    assert story.shop.hidden() == 0, "it left messages hidden"
    story.told.kills += 1


def go_on(story: Story, end: Ended) -> None:
    """Go on with room on the disk, and check that the rest is done."""
    began = bool(story.shop.runs())
    if end.status != 0:
        check_failed(end, story)
        for archive in () if began else story.purged():
            assert not archive.exists(), "an archive that nothing was written into was left behind"
    story.check_kept()
    if end.status != 0:
        end = story.shop.run(*story.command())
    story.check_end(end)


def scene_of(verb: str, where: str, level: int) -> Scene:
    """Return a run whose journal, or whose archive, is more than a small disk can hold."""
    return Scene(
        seed=level,
        verb=verb,
        fifo=False,
        chosen=False,
        compressed=level % 2 == 1,
        messages=60,
        workers=2,
        padding=_LONG_BODY if where == "archive" else 0,
    )


CASES = [("redrive", "journal"), ("purge", "journal"), ("import", "journal"), ("purge", "archive")]


@pytest.mark.parametrize("level", range(LEVELS))
@pytest.mark.parametrize(("verb", "where"), CASES)
def test_a_file_that_cannot_grow_ends_a_run_with_1_and_it_is_resumed(
    verb: str, where: str, level: int, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """As under a quota: the write fails, at a seeded size of the file; the least lets the report be written."""
    shop = open_a_shop(workers=2)
    story = Story(scene=scene_of(verb, where, level), shop=shop)
    story.prepare()
    least, most = (8_192, 300_000) if where == "journal" else (400_000, 700_000)
    bound = Random(f"{verb}/{where}/{level}").randint(least, most) if level else least
    end = shop.run(*story.command(), file_bytes=bound)
    try:
        go_on(story, end)
    finally:
        note(record_run, story, f"{verb}: the {where} cannot grow")


@pytest.mark.parametrize("level", range(LEVELS))
@pytest.mark.parametrize(("verb", "where"), CASES)
def test_a_full_disk_ends_a_run_with_1_and_it_is_resumed(
    verb: str, where: str, level: int, small_disk: SmallDisk, open_a_shop: Callable[..., Shop], record_run: RecordRun
) -> None:
    """A disk with a seeded rest of room."""
    shop = replace(open_a_shop(workers=2), disk=small_disk, state_on_disk=where == "journal")
    story = Story(scene=scene_of(verb, where, level), shop=shop)
    story.archive_folder = small_disk.path if where == "archive" else None
    story.prepare()
    free = Random(f"{verb}/{where}/{level}").randint(0, 400_000) if level else 0
    small_disk.fill(free_bytes=free)
    end = shop.run(*story.command())
    small_disk.free()
    try:
        if where == "archive":  # even the whole disk is too small for it: the rest goes into the next archive
            check_failed(end, story)
            story.check_kept()
        else:
            go_on(story, end)
    finally:
        note(record_run, story, f"{verb}: the {where}'s disk is full")


@pytest.mark.parametrize("level", range(LEVELS))
def test_an_export_that_fills_the_disk_ends_with_1_and_keeps_what_is_whole(
    level: int, small_disk: SmallDisk, open_a_shop: Callable[..., Shop]
) -> None:
    """The queue is as it was, visible at once, and with room the export is done."""
    shop = replace(open_a_shop(workers=2), disk=small_disk)
    bodies = replace(scene_of("export", "journal", level), padding=2_000).bodies()
    shop.fill(bodies)
    file = small_disk.path / f"export.jsonl{'.gz' if level % 2 else ''}"
    small_disk.fill(free_bytes=Random(f"export/{level}").randint(4_096, 50_000) if level else 0)
    end = shop.run("dlq", "export", shop.dlq, "--to-file", str(file))
    small_disk.free()
    assert end.status == 1, end.out
    assert "cannot be" in end.out
    assert (shop.left(), shop.hidden()) == (Counter(bodies), 0)
    written = list(sound_bodies(shop.seen(file)))
    assert len(written) == end.document.get("succeeded", 0)
    if shop.seen(file).exists():
        assert len(list(read_archive(shop.seen(file)))) == len(written)
    again = shop.run("dlq", "export", shop.dlq, "--to-file", str(file), *(["--overwrite"] if written else []))
    assert again.status == 0, again.out
    assert Counter(record.message.body for record in read_archive(shop.seen(file))) == Counter(bodies)


def note(record_run: RecordRun, story: Story, row: str) -> None:
    """Record a run."""
    told = story.told
    record_run(
        "Crashes",
        row,
        messages=story.scene.messages,
        strikes=told.kills,
        doubled=told.doubled,
        counted=told.counted,
    )
