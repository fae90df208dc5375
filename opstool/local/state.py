"""Where a running embedded AWS is written down, so that another process finds it.

One file in the state directory, readable by its owner only. The instance id in it is a secret of this instance: the
server answers for itself only to who knows it, so neither a reused pid nor a reused port is taken for it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from opstool.local.client import ClientSettings
from opstool.local.server import ADDRESS, INSTANCE_HEADER, INSTANCE_PATH
from opstool.words.errors import StorageError

FILE_NAME = "local.json"
HEALTH_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class LocalStatus:
    """A running embedded AWS, as others see it."""

    endpoint_url: str
    region: str
    stack_name: str
    outputs: dict[str, str]
    unsupported: tuple[str, ...]
    pid: int
    instance_id: str = field(repr=False)

    @property
    def settings(self) -> ClientSettings:
        """Return what a client of it is made of."""
        return ClientSettings(endpoint_url=self.endpoint_url, region=self.region)


def write(state_dir: Path, status: LocalStatus) -> None:
    """Write the state file, whole or not at all."""
    target = state_dir / FILE_NAME
    fresh = state_dir / f".{FILE_NAME}.{os.getpid()}"
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(status), file, indent=2)
        fresh.replace(target)
    except OSError as error:
        raise StorageError(f"cannot write `{target}`: {error.strerror or error}") from error


def remove(state_dir: Path, instance_id: str) -> None:
    """Remove the state file when it is this instance's."""
    noted = _read(state_dir)
    if noted and noted.instance_id == instance_id:
        with contextlib.suppress(OSError):
            (state_dir / FILE_NAME).unlink()


def status(state_dir: Path) -> LocalStatus | None:
    """Return the embedded AWS that runs for this state directory, or None; a file left by a dead one is removed."""
    noted = _read(state_dir)
    if noted is None:
        return None
    if answers(noted):
        return noted
    remove(state_dir, noted.instance_id)
    return None


def answers(noted: LocalStatus) -> bool:
    """Tell whether this very instance still answers."""
    return _ask(noted, "GET")


def ask_to_stop(noted: LocalStatus) -> bool:
    """Ask an instance to stop; tell whether it took it."""
    return _ask(noted, "DELETE")


def _read(state_dir: Path) -> LocalStatus | None:
    try:
        content = json.loads((state_dir / FILE_NAME).read_text(encoding="utf-8"))
        return LocalStatus(**{**content, "unsupported": tuple(content["unsupported"])})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read `{state_dir / FILE_NAME}`: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError):  # not ours, or of another version: nobody can be found by it
        return None


def _ask(noted: LocalStatus, method: str) -> bool:
    # http.client asks no proxy. A file with another address in it is answered by nobody.
    address = urlsplit(noted.endpoint_url)
    if address.hostname != ADDRESS or not address.port:
        return False
    connection = http.client.HTTPConnection(ADDRESS, address.port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request(method, INSTANCE_PATH, headers={INSTANCE_HEADER: noted.instance_id})
        return connection.getresponse().status == http.client.NO_CONTENT
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
