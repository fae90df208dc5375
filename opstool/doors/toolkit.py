"""What every verb works with: the doors of one identity in one region, and the settings of one invocation."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from opstool.doors.ask import Ask, refuse
from opstool.doors.clock import Clock, SystemClock
from opstool.doors.functions import Functions
from opstool.doors.journal import Journal
from opstool.doors.logs.logs import Logs
from opstool.doors.logs.scan import Scan
from opstool.doors.lookups import FILE_NAME, Lookups
from opstool.doors.objects import Objects, S3Objects, no_objects
from opstool.doors.place import Place, place_of, target_place
from opstool.doors.samconfig import stack_name_from
from opstool.doors.session import Connection, Session
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.words.errors import StorageError, UsageError
from opstool.words.logreading import LogReading
from opstool.words.report import Tally
from opstool.words.who import Who

DEFAULT_LEASE_S = 30
_JOURNAL = "journal.db"

Watch = Callable[[str, Tally, int | None], AbstractContextManager[object]]
"""Show progress: what is done, the counts as they grow, and how many are expected (None: not known)."""


def _no_progress(_doing: str, _tally: Tally, _expected: int | None) -> AbstractContextManager[object]:
    return nullcontext()


def _no_other_place(_elsewhere: Connection) -> Place:
    raise UsageError("no other account or region can be reached from here", code="no_other_place")


@dataclass(kw_only=True)
class Toolkit:
    """The doors and settings of one invocation. Set `stop` from a signal handler to end gracefully.

    `at_stop` says what a set `stop` means at the moment. `program` begins a command that can be pasted: opstool, and
    the options that choose this AWS. `reach` opens another account, region or server; ask `place` for one, which opens
    each of them once and counts its requests.
    """

    sqs: Sqs
    clock: Clock
    state_dir: Path
    stack: Stack
    ask: Ask = refuse
    objects: Objects = field(default_factory=no_objects)
    who: Callable[[], Who] = Who
    where: Callable[[], str] = lambda: "this account and region"
    endpoint: Callable[[], str] = lambda: ""
    region: Callable[[], str | None] = lambda: None
    lane: Callable[[], str] = lambda: ""
    reach: Callable[[Connection], Place] = _no_other_place
    lease_s: int = DEFAULT_LEASE_S
    workers: int | None = None
    log_reading: LogReading = field(default_factory=LogReading)
    stop: threading.Event = field(default_factory=threading.Event)
    at_stop: str = "finishing what is in hand, releasing the rest"
    watch: Watch = _no_progress
    program: str = "opstool"
    _places: dict[Connection, Place] = field(default_factory=dict, init=False)

    def place(self, elsewhere: Connection | None) -> Place:
        """Return where queues are named: in another place, or here."""
        if elsewhere is None:
            return Place(sqs=self.sqs, who=self.who, endpoint=self.endpoint, region=self.region)
        if elsewhere not in self._places:
            self._places[elsewhere] = self.reach(elsewhere)
        return self._places[elsewhere]

    def spent(self) -> tuple[int, int]:
        """Return how many requests to SQS were made so far, and how many are billed, over all places."""
        every = [self.sqs, *(each.sqs for each in self._places.values())]
        return sum(each.requests for each in every), sum(each.billed_requests for each in every)

    def lanes(self) -> list[str]:
        """Return which way the hot requests took in each place, where there were any."""
        told = [self.lane(), *(each.lane() for each in self._places.values())]
        return list(dict.fromkeys(each for each in told if each))

    @cached_property
    def journal(self) -> Journal:
        """Open the journal of the state directory when it is first needed; reading verbs do without."""
        return Journal(self.state_dir / _JOURNAL, self.clock)

    def journal_if_begun(self) -> Journal | None:
        """Return the journal where there is one: who only reads does not begin it. Raises StorageError."""
        if "journal" in self.__dict__:  # a run asks for every message
            return self.journal
        try:
            is_begun = (self.state_dir / _JOURNAL).exists()
        except OSError as error:  # a folder that may not be looked into
            raise StorageError(f"the journal in `{self.state_dir}` cannot be used: {error.strerror}") from error
        return self.journal if is_begun else None

    @cached_property
    def functions(self) -> Functions:
        """Return the door to Lambda."""
        return Functions(self.ask)

    @cached_property
    def logs(self) -> Logs:
        """Return the door to CloudWatch Logs."""
        return Logs(self.ask, self.clock, self.stop)

    @cached_property
    def scan(self) -> Scan:
        """Return the bill of reading the logs: one bound for all that this invocation looks up."""
        return Scan(limit_bytes=self.log_reading.scan_limit_bytes)

    @cached_property
    def lookups(self) -> Lookups:
        """Return what is remembered of earlier look-ups."""
        return Lookups(self.state_dir / FILE_NAME, self.clock)

    def close(self) -> None:
        """Let go of the files that were opened."""
        for name in ("journal", "lookups"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()


def connect(
    connection: Connection | None = None,
    *,
    stack_name: str | None = None,
    state_dir: Path | None = None,
    lease_s: int = DEFAULT_LEASE_S,
    workers: int | None = None,
    boto3_session: Any = None,
) -> Toolkit:
    """Return a toolkit for an account: credentials, region and endpoint are found as any boto3 program finds them.

    A `boto3_session` of your own brings its settings and its hooks; another place, reached from here, has its own.
    """
    connection = connection or Connection()
    session = Session(connection, boto3_session=boto3_session)
    clock = SystemClock()
    here = place_of(session, clock)

    def where() -> str:
        account = here.who().account
        return f"{session.region} (account {account})" if account else str(session.region)

    return Toolkit(
        sqs=here.sqs,
        clock=clock,
        state_dir=state_dir or default_state_dir(),
        stack=Stack(session.ask, stack_name or stack_name_from(Path("samconfig.toml"))),
        ask=session.ask,
        objects=S3Objects(session.ask, session.client),
        who=here.who,
        where=where,
        endpoint=here.endpoint,
        region=here.region,
        lane=here.lane,
        reach=lambda elsewhere: target_place(elsewhere, connection, clock),
        lease_s=lease_s,
        workers=workers,
    )


def default_state_dir() -> Path:
    """Return where the journal and the archives live: $XDG_STATE_HOME/opstool, or the platform's own place."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "opstool"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "opstool"
