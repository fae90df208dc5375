"""The door to CloudWatch Logs: the failures of given messages, read with FilterLogEvents."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from opstool.doors.ask import Ask
from opstool.words.errors import NotFoundError
from opstool.words.failureline import EVENT, FailureLine, parse_failure_line
from opstool.words.reason import Reason

_OPERATION = "FilterLogEvents"
# A page is at most 10,000 events or 1 MB, and is often empty where a log group is large and the window long. Sixty
# pages are about ten seconds at the five requests a second that AWS allows a caller:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_MOST_PAGES = 60
# A filter pattern has at most 1,024 characters; sixteen ids of 36 characters with their words stay below it.
_MOST_IDS_IN_PATTERN = 16
_LONGEST_PATTERN = 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFailures:
    """The last failure of each message that has one; `complete` is false when there were more pages than are read."""

    reasons: dict[str, Reason]
    complete: bool


class Logs:
    """The log groups that one identity reaches in one region."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def failures(self, log_group: str, *, since_ms: int, until_ms: int, message_ids: Collection[str]) -> LogFailures:
        """Return why these messages failed between two times: the last line tells, the attempts are counted."""
        wanted = frozenset(message_ids)
        attempts = _Attempts(log_group)
        request = {
            "logGroupName": log_group,
            "startTime": max(0, since_ms),
            "endTime": max(0, until_ms),
            "filterPattern": _pattern(wanted),
        }
        complete = True
        for page, more in self._pages(request):
            complete = not more
            for event in page.get("events") or ():
                line = parse_failure_line(str(event.get("message", "")))
                if line is not None and line.message_id in wanted:  # not every emulator applies the pattern
                    attempts.add(line, int(event.get("timestamp", 0)))
        return LogFailures(reasons=attempts.reasons(), complete=complete)

    def _pages(self, request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield at most as many pages as the bound allows, and whether more follow; a repeated token is the end."""
        token: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page({**request, "nextToken": token} if token else request)
            last, token = token, page.get("nextToken")
            more = bool(token) and token != last
            yield page, more
            if not more:
                return

    def _page(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask("logs", _OPERATION, request)
        except NotFoundError as error:
            group = request["logGroupName"]
            raise NotFoundError(f"the log group `{group}` does not exist", code="log_group_not_found") from error


class _Attempts:
    """The failed attempts of each message, gathered line by line; a line that is seen twice counts once."""

    def __init__(self, log_group: str) -> None:
        self._log_group = log_group
        self._seen: dict[str, set[tuple[str | None, int]]] = {}
        self._last: dict[str, tuple[int, FailureLine]] = {}

    def add(self, line: FailureLine, at_ms: int) -> None:
        """Count the attempt, and keep it when none is later."""
        self._seen.setdefault(line.message_id, set()).add((line.request_id, line.receive_count))
        last = self._last.get(line.message_id)
        if last is None or at_ms >= last[0]:
            self._last[line.message_id] = (at_ms, line)

    def reasons(self) -> dict[str, Reason]:
        """Return the reason of each message."""
        return {
            message_id: Reason(
                type=line.error_type,
                message=line.error,
                fingerprint=line.fingerprint,
                at_ms=at_ms,
                attempts=len(self._seen[message_id]),
                function=line.function or _function_of(self._log_group),
                log_group=self._log_group,
                request_id=line.request_id,
            )
            for message_id, (at_ms, line) in self._last.items()
        }


def _pattern(message_ids: frozenset[str]) -> str:
    """Return the filter that the server applies; a few ids are named in it, so that little has to be read."""
    event = f'$.event = "{EVENT}"'
    plain = [each for each in sorted(message_ids) if each.replace("-", "").isalnum()]
    if 0 < len(plain) == len(message_ids) <= _MOST_IDS_IN_PATTERN:
        ids = " || ".join(f'$.message_id = "{each}"' for each in plain)
        pattern = f"{{ ({event}) && ({ids}) }}"
        if len(pattern) <= _LONGEST_PATTERN:
            return pattern
    return f"{{ {event} }}"


def _function_of(log_group: str) -> str | None:
    """Return the function whose log group Lambda names after it."""
    prefix, _, name = log_group.rpartition("/")
    return name if prefix == "/aws/lambda" else None
