"""The two lanes to SQS: what a test needs to take one of them, and to know that no session has taken the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore
import pytest
from botocore.handlers import BUILTIN_HANDLERS

from opstool.doors.answers import refused
from opstool.doors.lanes import VARIABLE
from opstool.doors.lean import answer
from opstool.doors.session import Connection, Session
from opstool.words.errors import OpstoolError

DEFAULT, BOTO3 = "lean", "boto3"
LANES = (DEFAULT, BOTO3)
_environment = threading.Lock()


class SaidError(Exception):
    """The cause of a refusal over the lean lane, which has none of its own: the service's `code` for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def environment_of(lane: str) -> dict[str, str]:
    """Return the environment in which a process takes a lane: nothing is said for the one that is the default."""
    return {} if lane == DEFAULT else {VARIABLE: lane}


def session_over(lane: str, connection: Connection) -> Session:
    """Return a session that takes a lane. Threads may ask for different ones: it reads the variable when it is made."""
    with _environment, pytest.MonkeyPatch.context() as patch, without_mocks():
        _set(patch, lane)
        session = Session(connection)
        assert session.region, "boto3's session is made now, without mocks"
        return session


def check_taken(lane: str, session: Session) -> None:
    """Check that a session has taken this lane, as far as it has asked for anything that is taken there."""
    assert not session.lane or session.lane.split()[0] == lane, session.lane


@contextmanager
def over(lane: str) -> Iterator[None]:
    """Let every session that is made inside take a lane; fail at the end where one has quietly taken the other."""
    made: list[Session] = []
    make = Session.__init__

    def noting(session: Session, *arguments: Any, **settings: Any) -> None:
        make(session, *arguments, **settings)
        made.append(session)

    with pytest.MonkeyPatch.context() as patch, without_mocks():
        _set(patch, lane)
        patch.setattr(Session, "__init__", noting)
        patch.setattr(answer, "refused", _with_its_code)
        yield
    for each in made:
        check_taken(lane, each)


@contextmanager
def without_mocks() -> Iterator[None]:
    """Keep others' hooks out of new boto3 sessions: the lean lane respects every hook that it finds.

    With its import, moto gives one to all sessions of a process, which does nothing but in `mock_aws`; Powertools gives
    one that names it in the user agent. Neither is what a test over a lane is about.
    """
    handlers: list[Any] = BUILTIN_HANDLERS
    initializers: list[Any] = botocore._INITIALIZERS
    hooks = [each for each in handlers if type(each[1]).__module__.partition(".")[0] == "moto"]
    strangers = list(initializers)
    handlers[:] = [each for each in handlers if each not in hooks]
    initializers.clear()
    try:
        yield
    finally:
        handlers.extend(hooks)
        initializers[:0] = strangers


def _set(patch: pytest.MonkeyPatch, lane: str) -> None:
    patch.delenv(VARIABLE, raising=False)
    for name, value in environment_of(lane).items():
        patch.setenv(name, value)


def _with_its_code(operation: str, code: str, message: str, status: int, *_: object) -> OpstoolError:
    """Return the error of a refusal with the service's own code behind it, as botocore's errors have it."""
    error = refused(operation, code, message, status)
    error.__cause__ = SaidError(code)
    return error
