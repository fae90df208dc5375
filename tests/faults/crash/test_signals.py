"""SIGINT and SIGTERM wherever a command line can be: the first ends it in good order, the second now."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from opstool.doors.archive import read_archive
from tests.faults.crash.crowd import tell_all
from tests.faults.crash.points import APPEND, RECEIVE, Point, Side
from tests.faults.crash.scene import ACTS, interrupted_scene
from tests.faults.crash.shop import Shop
from tests.faults.crash.story import OUTCOMES
from tests.faults.crash.torn import sound_bodies
from tests.faults.crash.zygote import ENVIRONMENT, Zygote
from tests.faults.results import RecordRun

BODIES = [f"a:{number} take" for number in range(60)]
SIGNALS = {
    "SIGINT": (signal.SIGINT,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGINT twice": (signal.SIGINT, signal.SIGINT),
    "SIGTERM, then SIGINT": (signal.SIGTERM, signal.SIGINT),
}
ASKING = """
import signal, sys, threading
from opstool.cli.confirm import _answer
from opstool.cli.notices import Notices
from opstool.cli.signals import Interrupts

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
with Interrupts():
    try:
        print("asking", flush=True)
        _answer(Notices())
    except KeyboardInterrupt:
        sys.exit(130)
"""
"""The main thread blocks its signals, so the other one takes them."""
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@pytest.mark.parametrize("verb", ["redrive", "purge", "import"])
@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS.keys())
def test_an_interrupted_run_ends_with_130_and_is_resumed(
    verb: str, signals: tuple[int, ...], zygote: Zygote, tmp_path: Path, record_run: RecordRun
) -> None:
    """Also when its resume is interrupted: once settles and releases, twice leaves what a crash would leave."""
    scenes = [interrupted_scene(verb, act, signals, fifo=False) for act in ACTS[verb]]
    scenes += [interrupted_scene(verb, ACTS[verb][0], signals, fifo=True)]
    tell_all(zygote, tmp_path, scenes, record_run)


@pytest.mark.parametrize(
    ("ending", "act", "side"), [("", RECEIVE, "after"), (".gz", APPEND, "before"), ("", APPEND, "middle")]
)
@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS.keys())
def test_an_interrupted_export_leaves_the_queue_as_it_was(
    ending: str, act: str, side: Side, signals: tuple[int, ...], open_a_shop: Callable[..., Shop]
) -> None:
    """Once: what is in the file is whole, and everything is visible at once. Twice: after the lease."""
    shop = open_a_shop(workers=1)
    shop.fill(BODIES)
    point = Point(act=act, side=side, number=3, share=0.7, signals=signals)
    end = shop.run("dlq", "export", shop.dlq, "--to-file", f"export.jsonl{ending}", point=point)
    assert end.status == 130, end.err
    written = list(sound_bodies(shop.folder / f"export.jsonl{ending}"))
    assert 0 < len(written) < len(BODIES)
    assert shop.left() == Counter(BODIES)
    if len(signals) == 1:
        assert shop.hidden() == 0
        assert end.document["status"] == "interrupted"
        assert end.document["succeeded"] == len(written)
        assert end.document["received"] == sum(end.document[each] for each in OUTCOMES)
    shop.await_leases()
    again = shop.run("dlq", "export", shop.dlq, "--to-file", f"export.jsonl{ending}", "--overwrite")
    assert again.status == 0, again.err
    bodies = Counter(record.message.body for record in read_archive(shop.folder / f"export.jsonl{ending}"))
    assert bodies == Counter(BODIES)


@both_signals
@pytest.mark.parametrize("verb", ["redrive", "purge"])
def test_a_signal_during_the_look_of_a_plan_changes_nothing(
    verb: str, number: int, open_a_shop: Callable[..., Shop]
) -> None:
    """Everything is visible at once, no run is in the journal, and the queue is free for the next."""
    shop = open_a_shop(workers=2)
    shop.fill(BODIES)
    consent = ("--yes",) if verb == "redrive" else ("--confirm", shop.dlq)
    command = ("dlq", verb, shop.dlq, "--body-contains", "take", *consent)
    end = shop.run(*command, point=Point(act=RECEIVE, side="after", number=2, signals=(number,)))
    assert end.status == 130, end.err
    assert end.document["code"] == "interrupted"
    assert (shop.left(), shop.hidden(), shop.runs()) == (Counter(BODIES), 0, [])
    assert shop.run(*command).status == 0
    assert not shop.left()


@both_signals
@pytest.mark.parametrize("verb", ["redrive", "purge"])
def test_a_signal_at_the_prompt_changes_nothing(verb: str, number: int, open_a_shop: Callable[..., Shop]) -> None:
    """What the plan held is visible at once."""
    shop = open_a_shop(workers=2)
    shop.fill(BODIES)
    argv = [sys.executable, "-m", "opstool", *shop.options(), "dlq", verb, shop.dlq, "--body-contains", "take"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=ENVIRONMENT) as asking:
        os.close(theirs)
        shown = b""
        while not shown.rstrip().endswith((b"[y/N]", b"purge:")):
            shown += os.read(ours, 4096)
        held = shop.hidden()
        asking.send_signal(number)
        out, _ = asking.communicate(timeout=60)
    os.close(ours)
    assert held > 0
    assert (asking.returncode, out) == (130, b"")
    assert (shop.left(), shop.hidden(), shop.runs()) == (Counter(BODIES), 0, [])


@both_signals
def test_a_signal_that_comes_just_before_the_prompt_reads_is_not_left_until_enter(number: int) -> None:
    """The read is not interrupted, as when another thread takes the signal; the prompt looks up all the same."""
    with subprocess.Popen(
        [sys.executable, "-c", ASKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"asking\n"
        asking.send_signal(number)
        try:
            assert asking.wait(20) == 130
        finally:
            asking.kill()


@both_signals
def test_the_screen_says_how_to_go_on(number: int, open_a_shop: Callable[..., Shop]) -> None:
    """The report as a person reads it, with the command that goes on."""
    shop = open_a_shop(workers=1)
    shop.fill(BODIES)
    point = Point(act=APPEND, side="after", number=2, signals=(number,))
    end = shop.run("--output", "text", "dlq", "purge", shop.dlq, "--confirm", shop.dlq, point=point)
    [run] = shop.runs()
    assert end.status == 130
    assert "archived and deleted 20 messages" in end.out
    assert f"{run.run_id}, interrupted" in end.out
    assert f"resume {run.run_id}" in end.err
