"""Lambda's own lines are as Lambda writes them, in both formats: all that a crash or a timeout leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from opstool.local.function import Function
from opstool.local.server import EmbeddedServer
from tests.local.conftest import log_of

MakeFunction = Callable[..., Function]
IMPORT = "import nowhere"
NO_MODULE = "Unable to import module 'app': No module named 'nowhere'"
EXIT = "import os\ndef handler(e, c): os._exit(3)"
KILLED = "import os\ndef handler(e, c): os.kill(os.getpid(), 9)"
SLOW = "import time\ndef handler(e, c): time.sleep(60)"
RAISES = "def handler(e, c): {}['key']"
INIT_RAISES = "raise KeyError('at import')"


def shape(line: str, request_id: str) -> str:
    """Return a line without what differs each time."""
    text = line.replace(request_id, "ID")
    for part in text.split("\t"):
        if part.startswith(("Duration:", "Billed Duration:", "Max Memory Used:", "Init Duration:")):
            text = text.replace(f"\t{part}", "")
    return text.split("Init Duration:")[0] + "…\t" + text.split("ms\t")[1] if text.startswith("INIT_REPORT") else text


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (
            IMPORT,
            [
                f"[ERROR] Runtime.ImportModuleError: {NO_MODULE}\nTraceback (most recent call last):",
                "INIT_REPORT …\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
                "START RequestId: ID Version: $LATEST",
                "END RequestId: ID",
                "REPORT RequestId: ID\tMemory Size: 128 MB\tStatus: error\tError Type: Runtime.ImportModuleError",
            ],
        ),
        (
            EXIT,
            [
                "START RequestId: ID Version: $LATEST",
                "RequestId: ID Error: Runtime exited with error: exit status 3\nRuntime.ExitError",
                "END RequestId: ID",
                "REPORT RequestId: ID\tMemory Size: 128 MB\tStatus: error\tError Type: Runtime.ExitError",
            ],
        ),
        (
            KILLED,
            [
                "START RequestId: ID Version: $LATEST",
                "RequestId: ID Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
                "END RequestId: ID",
                "REPORT RequestId: ID\tMemory Size: 128 MB\tStatus: error\tError Type: Runtime.ExitError",
            ],
        ),
        (
            SLOW,
            [
                "START RequestId: ID Version: $LATEST",
                "END RequestId: ID",
                "REPORT RequestId: ID\tMemory Size: 128 MB\tStatus: timeout",
            ],
        ),
    ],
    ids=["cannot import", "exit", "killed", "timeout"],
)
def test_as_text_the_report_says_what_ended_the_invocation(
    make_function: MakeFunction, server: EmbeddedServer, source: str, lines: list[str]
) -> None:
    """What kept it from being loaded stands before START; a timeout has no line of its own any more."""
    function = make_function(source, timeout_s=1)
    request_id = function.invoke(None).request_id
    assert [shape(line, request_id) for line in log_of(server, function)] == lines


def test_as_text_the_report_says_nothing_of_an_exception(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """The runtime has told of it, in lines that are indented by no-break spaces."""
    function = make_function(RAISES)
    request_id = function.invoke(None).request_id
    _, error, _, report = (shape(line, request_id) for line in log_of(server, function))
    first, second, frame, code = error.split("\n")[:4]
    assert (first, second) == ("[ERROR] KeyError: 'key'", "Traceback (most recent call last):")
    assert frame.startswith("\u00a0\u00a0File ")
    assert code.startswith("\u00a0\u00a0\u00a0\u00a0def handler")
    assert report == "REPORT RequestId: ID\tMemory Size: 128 MB"


def records(server: EmbeddedServer, function: Function) -> list[tuple[str, dict[str, Any]]]:
    """Return the platform's JSON records, without what is measured."""
    lines = [json.loads(line) for line in log_of(server, function)]
    return [
        (line["type"], {name: value for name, value in line["record"].items() if name not in ("metrics", "requestId")})
        for line in lines
        if "type" in line
    ]


START = ("platform.start", {"version": "$LATEST"})


def init(**outcome: str) -> dict[str, str]:
    """Return the record of an environment that could not start."""
    return {"initializationType": "on-demand", "phase": "init", **outcome}


IMPORT_ERROR = {"status": "error", "errorType": "Runtime.ImportModuleError"}
EXIT_ERROR = {"status": "error", "errorType": "Runtime.ExitError"}
UNKNOWN = {"status": "error", "errorType": "Runtime.Unknown"}
TIMEOUT = {"status": "timeout"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EXIT, [START, ("platform.runtimeDone", EXIT_ERROR), ("platform.report", EXIT_ERROR)]),
        (SLOW, [START, ("platform.runtimeDone", TIMEOUT), ("platform.report", TIMEOUT)]),
        (
            IMPORT,
            [
                ("platform.initRuntimeDone", init(**IMPORT_ERROR)),
                ("platform.initReport", init(**IMPORT_ERROR)),
                START,
                ("platform.runtimeDone", IMPORT_ERROR),
                ("platform.report", IMPORT_ERROR),
            ],
        ),
        (
            INIT_RAISES,
            [
                ("platform.initRuntimeDone", init(**UNKNOWN)),
                ("platform.initReport", init(**UNKNOWN)),
                START,
                ("platform.runtimeDone", UNKNOWN),
                ("platform.report", UNKNOWN),
            ],
        ),
        ("def handler(e, c): pass", [START, ("platform.report", {"status": "success"})]),
    ],
    ids=["exit", "timeout", "cannot import", "raises at import", "success"],
)
def test_as_json_the_records_say_it(
    make_function: MakeFunction, server: EmbeddedServer, source: str, expected: list[Any]
) -> None:
    """With the statuses and error types of Lambda's telemetry."""
    function = make_function(source, timeout_s=1, logs_json=True, application_log_level="INFO")
    function.invoke(None)
    assert records(server, function) == expected


def test_only_failures_are_told_when_the_system_log_level_is_warn(
    make_function: MakeFunction, server: EmbeddedServer
) -> None:
    """A success then leaves nothing."""
    settings = {"logs_json": True, "application_log_level": "INFO", "system_log_level": "WARN", "timeout_s": 1}
    for source, expected in (("def handler(e, c): pass", []), (EXIT, ["platform.runtimeDone", "platform.report"])):
        function = make_function(source, **settings)
        function.invoke(None)
        assert [kind for kind, _ in records(server, function)] == expected


def test_the_lines_are_on_the_queues_clock(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """After the time was moved, a line is as late as the receive that led to it."""
    server.advance(3 * 86_400)
    url = server.settings.client("sqs").create_queue(QueueName="clock")["QueueUrl"]
    server.settings.client("sqs").send_message(QueueUrl=url, MessageBody="b")
    received = server.settings.client("sqs").receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])
    before_ms = int(received["Messages"][0]["Attributes"]["ApproximateFirstReceiveTimestamp"])
    function = make_function("print('while loading')\ndef handler(e, c): print('while running')")
    function.invoke(None)
    events = server.settings.client("logs").filter_log_events(logGroupName=function.config.log_group)["events"]
    assert len(events) == 5
    assert all(0 <= event["timestamp"] - before_ms < 60_000 for event in events)
