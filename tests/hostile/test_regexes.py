from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opstool.doors import regex
from opstool.doors.regex import BoundedRegex
from opstool.words.errors import StorageError
from opstool.words.expressions.where import EvaluationError
from tests.cli.world import World
from tests.hostile.corpus import EVERYTHING
from tests.hostile.harmless import assert_harmless

BOMBS = {
    "nested repeats": (r"(a+)+$", "a" * 60 + "!"),
    "alternatives that overlap": (r"^(a|aa|a?)+$", "a" * 60 + "!"),
    "words and blanks": (r"^(\w+\s?)*$", "word " * 30 + "!"),
    "three stars": (r"a*a*a*a*a*a*a*b", "a" * 3_000),
    "back references": (r"(.*)(.*)(.*)(.*)\1\2\3\4!", "ab" * 400),
    "a look-ahead of nested repeats": (r"(?=(a+)+$)a", "a" * 60 + "!"),
}
LIMIT_S = 0.5


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a body take half a second, so that the tests do not take long."""
    monkeypatch.setattr(regex, "SEARCH_S", LIMIT_S)


@pytest.fixture
def search() -> Iterator[BoundedRegex]:
    """Return a search that bombs."""
    with BoundedRegex("(a+)+$", limit_s=LIMIT_S) as found:
        yield found


@pytest.mark.parametrize(("pattern", "body"), BOMBS.values(), ids=list(BOMBS))
def test_a_search_ends_when_it_takes_too_long(pattern: str, body: str) -> None:
    """No pattern and no body can hold opstool up; the next body is searched as if nothing had been."""
    with BoundedRegex(pattern, limit_s=LIMIT_S) as found:
        with pytest.raises(EvaluationError, match=r"more than 0\.5 s, or too much memory"):
            found(body)
        assert found("") in {True, False}


def test_a_search_that_needs_too_much_memory_ends() -> None:
    """The engine keeps what it may have to go back to; it cannot take the machine's memory for it."""
    with BoundedRegex("(?:(.)|(x))*y", limit_s=60, most_bytes=150_000_000) as found:
        with pytest.raises(EvaluationError):
            found("x" * 1_048_576)
        assert found("xy")


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=list(EVERYTHING))
def test_every_body_is_searched_as_it_is(text: str) -> None:
    """Surrogates, NULs and mebibytes get to the search unchanged."""
    with BoundedRegex(r"\Apr1v8|[\[{\"=!\ufeff]", limit_s=60) as found:
        assert found(text)
        assert found(text)
        assert not found("nothing")


def test_a_search_keeps_its_process_and_ends_it(search: BoundedRegex) -> None:
    """One process serves every body, and is gone after the close."""
    assert search("aaa")
    process = search._process
    assert process is not None
    assert not search("b")
    assert search._process is process
    search.close()
    assert process.returncode is not None
    search.close()


def test_a_search_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """The clock is the searching process's own: nothing is left burning when nobody can end it."""
    program = (
        "from opstool.doors.regex import BoundedRegex\n"
        "search = BoundedRegex('(a+)+$', limit_s=1)\n"
        "search('a')\n"
        "print(search._process.pid, flush=True)\n"
        "search('a' * 60 + '!')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    gives_up_at = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Tell whether a process works still; one that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_other_threads_go_on_during_a_search(search: BoundedRegex) -> None:
    """Leases are kept alive and Ctrl-C is heard: the interpreter's lock is free."""
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    with pytest.raises(EvaluationError):
        search("a" * 60 + "!")
    done.set()
    thread.join()
    assert len(ticks) >= 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C in another way")
def test_ctrl_c_is_the_parents_business(search: BoundedRegex) -> None:
    """A terminal sends it to both; the search goes on until the parent ends it."""
    assert search("a")
    process = search._process
    assert process is not None
    os.kill(process.pid, signal.SIGINT)
    assert search("a")
    assert search._process is process


def test_without_a_process_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error of its own, and not a body that does not match."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with BoundedRegex("a") as found, pytest.raises(StorageError, match="cannot be started"):
        found("a")


def test_what_cannot_be_judged_is_left_alone_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that takes too long is selected by no verb; the others are, and the note says how many were not judged."""
    monkeypatch.setattr(BoundedRegex.__init__, "__kwdefaults__", {"limit_s": LIMIT_S, "most_bytes": regex.SEARCH_BYTES})
    hostile, sound = "a" * 60 + "!", "aaa"
    world.kill(hostile, sound)
    said = "1 messages could not be judged: `--body-matches`: more than 0.5 s, or too much memory"
    for argv in (["list"], ["export", "--to-file", "some"], ["redrive", "--yes"]):
        ended = world.run("dlq", *argv, "--body-matches", "(a+)+$")
        assert_harmless(ended)
        assert said in ended.err, argv
        assert hostile not in ended.err + ended.out
    assert world.bodies(world.dlq) == [hostile]
    assert world.bodies(world.source) == [sound]
