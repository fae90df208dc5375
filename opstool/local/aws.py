"""The embedded AWS: a template's stack on an emulator of this machine, its functions running.

`start` translates, creates the stack, readies the functions and polls. `close` stops in the order that loses least:
first nothing more is taken, then what is in hand may finish, then the functions end, then the emulator forgets.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from opstool.doors.clock import Clock, SystemClock
from opstool.local import state
from opstool.local.client import DEFAULT_REGION, ClientSettings
from opstool.local.server import EmbeddedServer, open_server_count
from opstool.local.state import LocalStatus
from opstool.words.closing import Closing
from opstool.words.errors import RefusedError

if TYPE_CHECKING:
    from opstool.local.deployment import Deployment
    from opstool.local.function import Function
    from opstool.local.mapping import Mapping as RunningMapping

_running = threading.Semaphore(1)
"""The emulator's state is the process's, so one stack at a time is."""

GRACE_S = 2.0
"""How long a batch in hand may take to finish when the embedded AWS closes."""


class LocalAws(Closing):
    """A running embedded AWS; a context manager that closes it."""

    def __init__(self, *, stack_name: str, state_dir: Path | None, clock: Clock, region: str) -> None:
        """Start the emulator. Use `start`, which also deploys."""
        self.stack_name = stack_name
        self.outputs: dict[str, str] = {}
        self.unsupported: tuple[str, ...] = ()
        self.stopped = threading.Event()
        """Set when somebody asked it to stop (`stop` from another process), or when it is closed."""
        self._state_dir = state_dir
        self._clock = clock
        self._instance_id = secrets.token_urlsafe(24)
        self._functions: list[Function] = []
        self._mappings: list[RunningMapping] = []
        self._folder = tempfile.TemporaryDirectory(prefix="opstool-local-", ignore_cleanup_errors=True)
        self._closed = False
        self._server = EmbeddedServer(
            region=region, clock=clock, instance_id=self._instance_id, on_stop=self.stopped.set
        )

    @property
    def settings(self) -> ClientSettings:
        """Return what a client of this instance is made of: endpoint, region, made-up credentials."""
        return self._server.settings

    @property
    def endpoint_url(self) -> str:
        """Return the address, http://127.0.0.1:PORT."""
        return self._server.endpoint_url

    @property
    def region(self) -> str:
        """Return the region that the stack is in."""
        return self._server.settings.region

    @property
    def status(self) -> LocalStatus:
        """Return this instance as others see it."""
        return LocalStatus(
            endpoint_url=self.endpoint_url,
            region=self.region,
            stack_name=self.stack_name,
            outputs=self.outputs,
            unsupported=self.unsupported,
            pid=os.getpid(),
            instance_id=self._instance_id,
        )

    def advance(self, seconds: float) -> None:
        """Move the time of queues and logs forward: visibility timeouts and retention pass without being waited for."""
        self._server.advance(seconds)

    def deploy(self, template: Path, parameters: Mapping[str, str], cache: Path | None) -> None:
        """Create the stack, ready its functions, and begin to poll."""
        from opstool.local.deployment import deploy  # noqa: PLC0415 imports an AWS SDK
        from opstool.local.template import translate  # noqa: PLC0415

        translated = translate(template, parameters=parameters, settings=self.settings)
        inline = Path(self._folder.name)
        deployment = deploy(translated, stack_name=self.stack_name, settings=self.settings, inline_folder=inline)
        self.outputs = deployment.outputs
        self.unsupported = deployment.notes
        self._serve(deployment, cache)
        if self._state_dir:
            state.write(self._state_dir, self.status)

    def _serve(self, deployment: Deployment, cache: Path | None) -> None:
        from opstool.local.function import Function  # noqa: PLC0415
        from opstool.local.function_backend import serve  # noqa: PLC0415
        from opstool.local.mapping import Mapping as RunningMapping  # noqa: PLC0415
        from opstool.local.requirements import provide  # noqa: PLC0415

        functions = {}
        for feed in deployment.feeds:
            name = feed.function.name
            if name not in functions:
                packages = provide(feed.function.directory, cache=cache)
                functions[name] = Function(feed.function, self.settings, packages=packages)
                self._functions.append(functions[name])
            mapping = RunningMapping(
                feed.config, functions[name], self.settings, is_enabled=feed.is_enabled, clock=self._clock
            )
            self._mappings.append(mapping)
        for mapping in self._mappings:
            serve(mapping.uuid, mapping)
            mapping.start()

    def close(self) -> None:
        """Stop everything; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.stopped.set()
        # Nobody should find what is about to go.
        if self._state_dir:
            with contextlib.suppress(OSError):
                state.remove(self._state_dir, self._instance_id)
        for mapping in self._mappings:
            mapping.stop()
        # A batch in hand may finish, for a moment; then its function ends, and with it the poller's wait.
        self._wait_for_pollers()
        for function in self._functions:
            function.close()
        self._wait_for_pollers()
        # Last, for all of the above speaks to it.
        self._forget_stack()
        self._server.close()
        self._folder.cleanup()
        _running.release()

    def _wait_for_pollers(self) -> None:
        deadline = time.monotonic() + GRACE_S
        while any(mapping.is_polling() for mapping in self._mappings) and time.monotonic() < deadline:
            # Again each time: a poller may just have begun to wait.
            self._server.end_long_polls()
            for mapping in self._mappings:
                mapping.join(0.02)

    def _forget_stack(self) -> None:
        """Delete the stack when other servers of this process keep the emulator's state alive."""
        if open_server_count() > 1:
            self.settings.client("cloudformation").delete_stack(StackName=self.stack_name)


def start(
    template: Path,
    *,
    stack_name: str,
    parameters: Mapping[str, str] | None = None,
    state_dir: Path | None = None,
    clock: Clock | None = None,
    region: str = DEFAULT_REGION,
    cache: Path | None = None,
) -> LocalAws:
    """Start the embedded AWS with the template's stack in it, and return when its functions can be fed.

    One at a time in a process, because the emulator's state is the process's. With `state_dir` other processes find it.
    """
    if state_dir and (running := state.status(state_dir)):
        raise RefusedError(
            f"the embedded AWS already runs on {running.endpoint_url} (process {running.pid})",
            code="local_running",
            hint="opstool local stop",
        )
    if not _running.acquire(blocking=False):
        raise RefusedError("an embedded AWS already runs in this process", code="local_running")
    try:
        local = LocalAws(stack_name=stack_name, state_dir=state_dir, clock=clock or SystemClock(), region=region)
    except BaseException:
        _running.release()
        raise
    try:
        local.deploy(template, parameters or {}, cache)
    except BaseException:
        local.close()
        raise
    return local
