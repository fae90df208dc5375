"""The door to Lambda: the event source mappings of a queue, the functions they feed, and the switch between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opstool.doors.ask import Ask
from opstool.doors.wire import reading
from opstool.words.function import EventSourceMapping, Function


class Functions:
    """The functions of one identity in one region. Every method raises OpstoolError."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def mappings(self, queue_arn: str) -> list[EventSourceMapping]:
        """Return the event source mappings that take messages from a queue."""
        found: list[EventSourceMapping] = []
        request: dict[str, Any] = {"EventSourceArn": queue_arn}
        while True:
            page = self._ask("lambda", "ListEventSourceMappings", request)
            with reading("ListEventSourceMappings"):
                found += [_mapping(each) for each in page.get("EventSourceMappings", [])]
            marker = page.get("NextMarker")
            if not marker or marker == request.get("Marker"):
                return [each for each in found if each.source_arn == queue_arn]  # not every emulator filters
            request = {**request, "Marker": marker}

    def function(self, arn: str) -> Function:
        """Return the configuration of the function, version or alias of this ARN."""
        answer = self._ask("lambda", "GetFunctionConfiguration", {"FunctionName": arn})
        with reading("GetFunctionConfiguration"):
            logging: Mapping[str, Any] = answer.get("LoggingConfig") or {}
            name = str(answer["FunctionName"])
            return Function(
                name=name,
                arn=arn,
                timeout_s=int(answer.get("Timeout", 3)),
                memory_mb=int(answer.get("MemorySize", 128)),
                runtime=answer.get("Runtime"),
                # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
                log_group=str(logging.get("LogGroup") or f"/aws/lambda/{name}"),
                log_format=str(logging.get("LogFormat") or "Text"),
                application_log_level=logging.get("ApplicationLogLevel"),
                system_log_level=logging.get("SystemLogLevel"),
                role_arn=answer.get("Role"),
                kms_key_arn=answer.get("KMSKeyArn"),
                dead_letter_arn=(answer.get("DeadLetterConfig") or {}).get("TargetArn") or None,
            )

    def reserved_concurrency(self, arn: str) -> int | None:
        """Return how many copies of a function, given without alias or version, may run at once; None: no bound."""
        answer = self._ask("lambda", "GetFunctionConcurrency", {"FunctionName": arn})
        with reading("GetFunctionConcurrency"):
            reserved = answer.get("ReservedConcurrentExecutions")
            return None if reserved is None else int(reserved)

    def set_enabled(self, uuid: str, *, enabled: bool) -> str:
        """Enable or disable an event source mapping; return the state that Lambda answers."""
        answer = self._ask("lambda", "UpdateEventSourceMapping", {"UUID": uuid, "Enabled": enabled})
        return str(answer.get("State", ""))

    def state(self, uuid: str) -> str:
        """Return the state of an event source mapping."""
        return str(self._ask("lambda", "GetEventSourceMapping", {"UUID": uuid}).get("State", ""))


def _mapping(answer: Mapping[str, Any]) -> EventSourceMapping:
    filters = (answer.get("FilterCriteria") or {}).get("Filters") or []
    return EventSourceMapping(
        uuid=str(answer["UUID"]),
        source_arn=str(answer.get("EventSourceArn", "")),
        function_arn=str(answer.get("FunctionArn", "")),
        state=str(answer.get("State", "Enabled")),
        batch_size=int(answer.get("BatchSize") or 10),
        window_s=int(answer.get("MaximumBatchingWindowInSeconds") or 0),
        response_types=tuple(answer.get("FunctionResponseTypes") or ()),
        filters=tuple(str(each.get("Pattern", "")) for each in filters),
        maximum_concurrency=(answer.get("ScalingConfig") or {}).get("MaximumConcurrency"),
        provisioned_pollers=bool(answer.get("ProvisionedPollerConfig")),
    )
