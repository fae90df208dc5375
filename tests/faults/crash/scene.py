"""What a scene of the crash suite plays: which verb, on how many messages, and where it is ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.faults.crash.points import APPEND, COMMIT, DELETE, EXTEND, RECEIVE, RELEASE, SEND, Point, choose
from tests.faults.scale import FULL
from tests.lanes import DEFAULT, LANES

CHOSEN, _OTHER = "take", "let be"
_SHARE_CHOSEN = 0.7
_LATER_DEATH = 5
"""The second life has less to do, so it dies early: before or after one of the first so many times of an act."""
# How often an act happens at the least in a first life that is not ended: 200 messages, ten a batch; a commit is shared
# by the workers that wait for one.
_OFTEN = {RECEIVE: 20, SEND: 14, COMMIT: 24, DELETE: 14, APPEND: 14, EXTEND: 14, RELEASE: 4}
ACTS = {
    "redrive": (RECEIVE, SEND, COMMIT, DELETE, EXTEND, RELEASE),
    "purge": (APPEND, COMMIT, DELETE, RECEIVE, RELEASE),
    "import": (SEND, COMMIT),
}
_VERBS = ("redrive", "purge", "redrive", "redrive", "import", "redrive", "purge", "redrive", "redrive", "redrive")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one seed plays. `chosen`: only what the selection names is acted on; `padding` characters follow that."""

    seed: int
    verb: str
    fifo: bool
    chosen: bool
    compressed: bool
    messages: int
    workers: int
    lane: str = DEFAULT
    deaths: tuple[Point, ...] = ()
    padding: int = 0

    def __str__(self) -> str:
        """Return it as a test's message shows it."""
        kind = f"{self.verb}{' FIFO' if self.fifo else ''}{' chosen' if self.chosen else ''}"
        deaths = ", then ".join(str(point) for point in self.deaths)
        return f"seed {self.seed}: {kind} of {self.messages} by {self.workers} over {self.lane}, ended {deaths}"

    @property
    def row(self) -> str:
        """Return the row of the table in which it is counted."""
        first, kind = self.deaths[0], f"{self.verb}{', FIFO' if self.fifo else ''}"
        return f"{kind}: SIGKILL at {_KINDS[first.act]}" if first.kills else f"{kind}: {first.signal_names}"

    def bodies(self) -> list[str]:
        """Return the messages: each tells its group, its place in it, and whether it is chosen."""
        random = Random(self.seed)
        groups = "abcdefghijklmnopqrstuvwxy"
        listed = []
        for number in range(self.messages):
            mark = CHOSEN if not self.chosen or random.random() < _SHARE_CHOSEN else _OTHER
            padding = random.randbytes(self.padding // 2).hex()
            listed.append(f"{groups[number % len(groups)]}:{number} {mark} {padding}")
        return listed


_KINDS = {
    RECEIVE: "a receive",
    SEND: "a send",
    COMMIT: "a commit of the journal",
    DELETE: "a delete",
    APPEND: "an append to the archive",
    EXTEND: "an extension of leases",
    RELEASE: "a release",
}


def scenes(seed: int) -> list[Scene]:
    """Return what a seed plays, over each lane, or over one of them where the suite is bounded."""
    # The lanes take turns at the same act of the same verb, and as evenly over the verbs.
    turn = seed + seed // len(_VERBS) + seed // 60
    lanes = LANES if FULL else (LANES[turn % len(LANES)],)
    return [replace(scene(seed), lane=lane) for lane in lanes]


def scene(seed: int) -> Scene:
    """Return what a seed plays: every act of every verb in turn, the rest by chance."""
    random = Random(f"crash/{seed}")
    verb = _VERBS[seed % len(_VERBS)]
    acts = ACTS[verb]
    act = acts[seed // len(_VERBS) % len(acts)]
    holds = act in {EXTEND, RELEASE}  # what a selection goes through is held until the end, the rest of it released
    fifo = not holds and random.random() < 0.3
    workers = random.choice((1, 4, 8))
    often = _OFTEN[act] // workers if act == COMMIT and not fifo else _OFTEN[act]
    return Scene(
        seed=seed,
        verb=verb,
        fifo=fifo,
        chosen=holds or (verb != "import" and not fifo and random.random() < 0.3),
        compressed=random.random() < 0.5,
        messages=random.randint(200, 300),
        workers=workers,
        deaths=(choose(act, often, random), choose(random.choice(acts), _LATER_DEATH, random)),
    )


def interrupted_scene(verb: str, act: str, signals: tuple[int, ...], *, fifo: bool) -> Scene:
    """Return a run of a few messages that gets these signals at an act, and when it is resumed once more."""
    random = Random(f"signals/{verb}/{act}/{signals}/{fifo}")
    return Scene(
        seed=0,
        verb=verb,
        fifo=fifo,
        chosen=act in {EXTEND, RELEASE},
        compressed=random.random() < 0.5,
        messages=80,
        workers=2,
        lane=random.choice(LANES),
        deaths=tuple(replace(choose(each, 3, random), signals=signals) for each in (act, random.choice(ACTS[verb]))),
    )
