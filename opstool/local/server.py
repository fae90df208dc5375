"""The emulator's HTTP server: moto, corrected, on 127.0.0.1 and a free port, inside this process.

moto keeps its queues, stacks and logs in the process, not in the server. So when the last server of a process closes,
all of it is forgotten; two open at once would see each other's queues.
"""

from __future__ import annotations

import functools
import hmac
import threading
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from opstool.doors.clock import Clock, SystemClock
from opstool.local.client import DEFAULT_REGION, ClientSettings
from opstool.local.emulator_time import NOW
from opstool.words.errors import UsageError

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

ADDRESS = "127.0.0.1"
INSTANCE_PATH = "/opstool/instance"
INSTANCE_HEADER = "X-Opstool-Instance"

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_open_servers = 0
_open_servers_lock = threading.Lock()


class EmbeddedServer:
    """Corrected moto behind HTTP; `close` ends it and frees the port."""

    def __init__(
        self,
        *,
        region: str = DEFAULT_REGION,
        clock: Clock | None = None,
        instance_id: str = "",
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        """Start serving. `instance_id` proves to a caller that this is the server it means; `on_stop` obeys it."""
        _require_moto()
        from opstool.local import corrections  # noqa: PLC0415 moto is imported when a server is wanted

        self._corrections = corrections
        self._instance_id = instance_id
        self._on_stop = on_stop
        corrections.install(clock or SystemClock())
        self._server = _bind(self._front(_moto_app()))
        self.settings = ClientSettings(endpoint_url=f"http://{ADDRESS}:{self._server.server_port}", region=region)
        corrections.name_endpoint(self.settings.endpoint_url)
        # It looks this often whether it is to end, in seconds.
        serve = functools.partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, name="opstool-local-server", daemon=True)
        self._thread.start()
        _count_open(+1)

    @property
    def endpoint_url(self) -> str:
        """Return the address, http://127.0.0.1:PORT."""
        return self.settings.endpoint_url

    def advance(self, seconds: float) -> None:
        """Move the time of the queues forward, so that visibility timeouts and retention need not be waited for.

        The times of log events follow, so that they can be compared with those of receives. What a function itself
        calls the time does not: its clock is the machine's.
        """
        self._corrections.advance(seconds)

    def end_long_polls(self) -> None:
        """Answer every receive that waits now, with nothing."""
        self._corrections.end_long_polls()

    def close(self) -> None:
        """Stop serving, and forget everything when this was the last server of the process."""
        self.end_long_polls()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if _count_open(-1) == 0:
            self._corrections.forget_everything()

    def _front(self, moto_app: WsgiApp) -> WsgiApp:
        """Guard moto: no browser page may talk to it, and the instance answers for itself."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            host = str(environ.get("HTTP_HOST", "")).split(":", 1)[0]
            # A page in a browser can reach loopback too. It sends an Origin, or a host name of its own (DNS rebinding).
            if "HTTP_ORIGIN" in environ or host not in (ADDRESS, "localhost"):
                return _answer(start_response, "403 Forbidden")
            if environ.get("PATH_INFO") == INSTANCE_PATH:
                return self._answer_for_instance(environ, start_response)
            return moto_app(environ, _undated(start_response))

        return app

    def _answer_for_instance(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        claimed = str(environ.get("HTTP_X_OPSTOOL_INSTANCE", ""))
        if not self._instance_id or not hmac.compare_digest(claimed.encode(), self._instance_id.encode()):
            return _answer(start_response, "404 Not Found")
        if environ.get("REQUEST_METHOD") == "DELETE" and self._on_stop:
            self._on_stop()
        return _answer(start_response, "204 No Content")


def _undated(start_response: Callable[..., Any]) -> Callable[..., Any]:
    """Take moto's own date out of its answers: the request handler says the queues' time."""

    def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        return start_response(status, [each for each in headers if each[0].lower() != "date"], *exc_info)

    return start


def open_server_count() -> int:
    """Return how many servers this process has open."""
    with _open_servers_lock:
        return _open_servers


def _count_open(change: int) -> int:
    global _open_servers  # noqa: PLW0603 moto's state is the process's, so the count is too
    with _open_servers_lock:
        _open_servers += change
        return _open_servers


def _require_moto() -> None:
    try:
        import flask  # noqa: F401, PLC0415
        import moto  # noqa: F401, PLC0415
        import samtranslator  # type: ignore[import-untyped] # noqa: F401, PLC0415
    except ImportError as missing:
        raise UsageError(
            f"the embedded AWS needs `{missing.name}`, which is not installed",
            code="local_extra_missing",
            hint='python -m pip install "opstool[local]"',
        ) from missing


def _moto_app() -> WsgiApp:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415

    app: WsgiApp = DomainDispatcherApplication(create_backend_app)
    return app


def _bind(app: WsgiApp) -> BaseWSGIServer:
    from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    class SilentRequestHandler(MotoRequestHandler):
        """Serve without a line for each request: a request carries message bodies."""

        protocol_version = "HTTP/1.1"
        # Headers and body of an answer leave in two packets; without this the second waits for the delayed ACK.
        disable_nagle_algorithm = True

        def date_time_string(self, timestamp: float | None = None) -> str:
            """Return the queues' time, moved forward or not: clients learn from it how far theirs is off."""
            return formatdate(NOW.seconds() if timestamp is None else timestamp, usegmt=True)

        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 werkzeug's name
            """Say nothing."""

    server = make_server(ADDRESS, 0, app, threaded=True, request_handler=SilentRequestHandler)
    server.log = lambda *_: None  # type: ignore[method-assign] # a traceback of moto's would show message bodies
    return server


def _answer(start_response: Callable[..., Any], status: str) -> Iterable[bytes]:
    start_response(status, [("Content-Length", "0")])
    return [b""]
