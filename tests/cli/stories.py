"""What the logs would tell of one message, for tests of the screen: three attempts, a traceback, the lines around."""

from __future__ import annotations

from typing import Any

from opstool.words.logevent import Attempt, LogEvent
from opstool.words.story import Story
from tests.cli.world import LOG_GROUP

DIED_MS = 1_800_000_000_000
STREAM = "2027/01/15/[$LATEST]0123456789abcdef0123456789abcdef"
TRACE_ID = "1-6774a2f0-0123456789abcdef01234567"
TRACEBACK = """Traceback (most recent call last):
  File "/var/task/app.py", line 41, in record_handler
    process(message)
  File "/var/task/processing.py", line 17, in process
    raise ValueError("no such customer")
ValueError: no such customer"""


def an_attempt(number: int = 1, **fields: Any) -> Attempt:
    """Return the attempt of that receive, a minute after the one before."""
    defaults: dict[str, Any] = {
        "at_ms": DIED_MS - 120_000 + 60_000 * (number - 1),
        "type": "ValueError",
        "message": "no such customer",
        "fingerprint": "0123456789ab",
        "log_group": LOG_GROUP,
        "log_stream": STREAM,
        "request_id": f"{number}" * 8 + "-2222-3333-4444-555555555555",
        "receive_count": number,
        "traceback": TRACEBACK,
        "trace_id": TRACE_ID,
    }
    return Attempt(**{**defaults, **fields})


def a_line(text: str, offset_ms: int = 0, **fields: Any) -> LogEvent:
    """Return one line of the log, so long after the last attempt failed."""
    return LogEvent(
        **{"log_group": LOG_GROUP, "log_stream": STREAM, "at_ms": DIED_MS + offset_ms, "text": text, **fields}
    )


def a_story(**fields: Any) -> Story:
    """Return what the log tells of a message that was tried three times."""
    defaults: dict[str, Any] = {
        "attempts": tuple(map(an_attempt, (1, 2, 3))),
        "lines": (
            a_line("START RequestId: 33333333-2222-3333-4444-555555555555 Version: $LATEST\n", -1_204),
            a_line('{"level":"INFO","message":"order 1 is looked up","customer":17}', -35),
            a_line('{"level":"ERROR","event":"record_failed","error_type":"ValueError"}'),
            a_line("END RequestId: 33333333-2222-3333-4444-555555555555\n", 3),
        ),
        "functions": ("orders-consumer",),
    }
    return Story(**{**defaults, **fields})
