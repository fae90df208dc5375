"""One command under way: its settings, both sides of its screen, and the toolkit, made when it is first needed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from opstool.cli.frame import Frame
from opstool.cli.notices import Notices
from opstool.cli.output import Output, OutputFormat
from opstool.cli.progress import Progress
from opstool.cli.screen import safe
from opstool.doors import toolkit
from opstool.doors.session import Connection
from opstool.doors.toolkit import DEFAULT_LEASE_S, Toolkit
from opstool.words.errors import InterruptedRunError, NotFoundError
from opstool.words.logreading import LogReading


class Invocation:
    """What a command works with; leaving its `with` lets go of everything."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.options = frame.options
        no_color = bool(self.options.no_color)
        self.notices = Notices(quiet=bool(self.options.quiet), no_color=no_color)
        self.output = Output(self.options.output or OutputFormat.TEXT, self.notices, no_color=no_color)
        self.progress = Progress(self.notices)
        self.log_reading = LogReading()

    @cached_property
    def state_dir(self) -> Path:
        """Return the folder of journal, archives and the embedded AWS's address."""
        return self.options.state_dir or toolkit.default_state_dir()

    @cached_property
    def kit(self) -> Toolkit:
        """Return the toolkit: the AWS that the options name."""
        self.progress.begin("connecting")
        connection, stack_name = self._connection()
        kit = (self.frame.connect or toolkit.connect)(
            connection,
            stack_name=stack_name,
            state_dir=self.state_dir,
            lease_s=self.options.lease or DEFAULT_LEASE_S,
            workers=self.options.workers,
        )
        kit.watch = self.progress.watch
        kit.program = shlex.join(["opstool", *self.options.words])
        kit.log_reading = self.log_reading
        self.frame.place = kit.where
        return kit

    @property
    def now_ms(self) -> int:
        """Return SQS's time as far as it is known."""
        return self.kit.sqs.now_ms()

    @contextmanager
    def working(self) -> Iterator[Toolkit]:
        """Give the toolkit for work that the first Ctrl-C is to end in good order."""
        with self.frame.interrupts.graceful(self.kit, self.notices):
            yield self.kit

    def _connection(self) -> tuple[Connection, str | None]:
        given = self.options
        timeout_s = given.timeout or Connection.timeout_s
        if not given.local:
            connection = Connection(
                profile=given.profile, region=given.region, endpoint_url=given.endpoint_url, timeout_s=timeout_s
            )
            return connection, given.stack_name
        from opstool.local.state import status  # noqa: PLC0415 - only with --local

        running = status(self.state_dir)
        if running is None:
            raise NotFoundError("no embedded AWS is running", code="local_not_running", hint="opstool local start")
        settings = running.settings
        connection = Connection(
            region=settings.region,
            endpoint_url=settings.endpoint_url,
            timeout_s=timeout_s,
            access_key_id=settings.access_key_id,
            secret_access_key=settings.secret_access_key,
            is_isolated=True,
        )
        return connection, given.stack_name or running.stack_name

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the screen's changing line, say what -v asks for, and close the toolkit."""
        self.notices.end()
        kit = self.__dict__.get("kit")
        if kit:
            kit.close()
            if self.options.verbose:
                for lane in kit.lanes():
                    self.notices.line(f"requests: {safe(lane)}")
                self.notices.line(f"{kit.sqs.requests} requests to SQS, state in {safe(str(self.state_dir))}")
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedRunError("interrupted") from None
