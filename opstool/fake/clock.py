"""Virtual time: a clock on which sleeping takes no time, and which a test moves by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_WAIT_FOR_ACTION_S = 10.0
"""Real seconds after which a repeating action that does not end is taken for a deadlock."""


@dataclass(eq=False)
class _Repeat:
    """One action of `every`; `due_s` is monotonic time, `running_in` the thread that is carrying it out."""

    interval_s: float
    action: Callable[[], None]
    due_s: float
    running_in: int | None = field(default=None)


class FakeClock:
    """A Clock whose time moves only by `sleep` and `advance`; starts at a fixed moment of 2027.

    A sleep moves the time to its own end and carries out, in order and at their due moments, the repeating actions on
    the way, in the thread that sleeps. Several threads may sleep at once: sleeps that overlap share the time, and no
    thread passes the due moment of an action before that action has ended. So what an action keeps alive stays alive,
    however fast other threads make the time go. No lock is held while an action runs. An action that cannot end,
    because a sleeper holds what it needs, raises RuntimeError in the sleeper after some real seconds.
    """

    def __init__(self, wall_s: float = 1_800_000_000.0) -> None:
        self._now_s = 0.0
        self._wall_offset_s = wall_s
        self._repeats: list[_Repeat] = []
        self._changed = threading.Condition()
        self._in_action = threading.local()

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return self._wall_offset_s + self._now_s

    def monotonic(self) -> float:
        """Return seconds since the clock was made, without the jumps."""
        return self._now_s

    def jump_wall(self, seconds: float) -> None:
        """Let the wall clock jump while monotonic time and repeating actions stand still: the machine slept."""
        with self._changed:
            self._wall_offset_s += seconds

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Move the time forward; return early, at the moment of the action that set it, when `stop` is set."""
        self._move_to(self._now_s + max(0.0, seconds), stop)

    def advance(self, seconds: float) -> None:
        """Move the time forward by hand."""
        self.sleep(seconds)

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Repeat `action` each `seconds` of virtual time; the returned function ends it and waits for its end."""
        if seconds <= 0:
            raise ValueError("an action can only be repeated after a positive time")
        with self._changed:
            repeat = _Repeat(interval_s=seconds, action=action, due_s=self._now_s + seconds)
            self._repeats.append(repeat)

        def end() -> None:
            with self._changed:
                if repeat in self._repeats:
                    self._repeats.remove(repeat)
                if repeat.running_in != threading.get_ident():
                    self._wait_until(lambda: repeat.running_in is None)

        return end

    def _move_to(self, end_s: float, stop: threading.Event | None) -> None:
        while not (stop and stop.is_set()):
            with self._changed:
                repeat = self._next_due(end_s)
                if repeat is None:
                    self._now_s = max(self._now_s, end_s)
                    return
                self._now_s = max(self._now_s, repeat.due_s)
                repeat.running_in = threading.get_ident()
            self._carry_out(repeat)

    def _next_due(self, end_s: float) -> _Repeat | None:
        """Return the action to carry out next, None when none is due; waits for those that other threads carry out."""
        # An action that sleeps must not wait for actions: two of them could wait for each other.
        if not getattr(self._in_action, "yes", False):
            self._wait_until(lambda: all(repeat.running_in is None for repeat in self._repeats))
        due = [repeat for repeat in self._repeats if repeat.due_s <= end_s and repeat.running_in is None]
        return min(due, key=lambda repeat: repeat.due_s, default=None)

    def _carry_out(self, repeat: _Repeat) -> None:
        nested = getattr(self._in_action, "yes", False)
        self._in_action.yes = True
        try:
            repeat.action()
        finally:
            self._in_action.yes = nested
            with self._changed:
                repeat.running_in = None
                repeat.due_s = self._now_s + repeat.interval_s  # from its end, as in SystemClock
                self._changed.notify_all()

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        if not self._changed.wait_for(holds, timeout=_WAIT_FOR_ACTION_S):
            raise RuntimeError("a repeating action does not end: does a sleeping thread hold a lock that it needs?")
