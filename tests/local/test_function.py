"""A function runs in a process of its own with Lambda's semantics."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opstool.local.function import Function
from opstool.local.server import EmbeddedServer
from tests.local.conftest import log_of

MakeFunction = Callable[..., Function]


def test_a_handler_gets_its_event_and_returns_its_answer(make_function: MakeFunction) -> None:
    """What the handler returns comes back as JSON."""
    function = make_function("def handler(event, context): return {'seen': event}")
    answer = function.invoke({"x": 1})
    assert (json.loads(answer.payload), answer.error) == ({"seen": {"x": 1}}, None)


def test_a_process_stays_warm_between_invocations(make_function: MakeFunction) -> None:
    """The second invocation finds what the first left in memory."""
    function = make_function("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n")
    assert [function.invoke(None).payload for _ in range(3)] == ["1", "2", "3"]


def test_two_invocations_at_once_have_a_process_each(make_function: MakeFunction) -> None:
    """A sandbox carries one invocation at a time."""
    function = make_function("import os, time\ndef handler(e, c):\n    time.sleep(0.3)\n    return os.getpid()")
    with ThreadPoolExecutor(2) as pool:
        pids = {answer.payload for answer in pool.map(function.invoke, range(2))}
    assert len(pids) == 2


def test_a_handler_may_be_in_a_sub_package(make_function: MakeFunction) -> None:
    """`pkg.mod.handler` and `pkg/mod.handler` name the same function."""
    for name in ("pkg.mod.handler", "pkg/mod.handler"):
        function = make_function("def handler(e, c): return 'deep'", handler=name, file="pkg/mod.py")
        assert function.invoke(None).payload == '"deep"'


def test_the_context_says_what_lambda_says(make_function: MakeFunction) -> None:
    """Names, request id, memory and the time that is left are there."""
    function = make_function(
        "def handler(e, c): return [c.function_name, c.aws_request_id, c.memory_limit_in_mb, c.log_group_name,"
        " c.function_version, 0 < c.get_remaining_time_in_millis() <= 5000]",
        memory_mb=512,
    )
    answer = function.invoke(None)
    config = function.config
    expected = [config.name, answer.request_id, "512", config.log_group, "$LATEST", True]
    assert json.loads(answer.payload) == expected


def test_an_exception_is_the_answer_and_the_process_stays(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """Type, text and stack are reported, the log has them, and the next invocation is warm."""
    function = make_function("seen = []\ndef handler(e, c):\n    seen.append(e)\n    raise ValueError(len(seen))")
    function.invoke(1)
    error = function.invoke(2).error
    assert error is not None
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "2")
    assert "in handler" in error["stackTrace"][0]
    assert any(line.startswith("[ERROR] ValueError: 2\nTraceback") for line in log_of(server, function))


def test_a_timeout_ends_the_process_and_its_children(
    make_function: MakeFunction, server: EmbeddedServer, tmp_path: Path
) -> None:
    """After the timeout nothing of the function runs, the log says so, and the next invocation starts anew."""
    note = tmp_path / "child"
    function = make_function(
        "import subprocess, time, sys\n"
        "def handler(e, c):\n"
        "    if not e: return 'fresh'\n"
        "    print('before')\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    open(e, 'w').write(str(child.pid))\n"
        "    time.sleep(60)\n",
        timeout_s=1,
    )
    started = time.monotonic()
    answer = function.invoke(str(note))
    assert time.monotonic() - started < 5
    assert answer.error is not None
    assert answer.error["errorType"] == "Sandbox.Timedout"
    assert not is_running(int(note.read_text()))
    lines = log_of(server, function)
    assert "before" in lines
    assert lines[-1].startswith(f"REPORT RequestId: {answer.request_id}\tDuration: 1000.00 ms\t")
    assert lines[-1].endswith("\tStatus: timeout")
    assert function.invoke("").payload == '"fresh"'


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc").is_dir():
        return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("os._exit(3)", "exit status 3"),
        ("sys.exit('bye')", "exit status 1"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("os._exit(0)", "without providing a reason"),
    ],
)
def test_a_crash_is_an_error_and_the_next_invocation_starts_anew(
    make_function: MakeFunction, statement: str, text: str
) -> None:
    """A process that ends itself fails its invocation only."""
    function = make_function(f"import os, sys\ndef handler(e, c):\n    if e: {statement}\n    return 'fresh'")
    error = function.invoke(1).error
    assert error is not None
    assert error["errorType"] == "Runtime.ExitError"
    assert text in error["errorMessage"]
    assert function.invoke(0).payload == '"fresh"'


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("import nothing_of_that_name", "app.handler", "Runtime.ImportModuleError"),
        ("def handler(", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("x = 1", "handler", "Runtime.MalformedHandlerName"),
        ("raise KeyError('at import')", "app.handler", "KeyError"),
        ("import os; os._exit(4)", "app.handler", "Runtime.ExitError"),
    ],
)
def test_a_function_that_cannot_be_loaded_fails_each_invocation(
    make_function: MakeFunction, server: EmbeddedServer, source: str, handler: str, error_type: str
) -> None:
    """The error is Lambda's, it is in the log, and every invocation tries again."""
    function = make_function(source, handler=handler)
    for _ in range(2):
        error = function.invoke(None).error
        assert error is not None
        assert error["errorType"] == error_type
    lines = log_of(server, function)
    if error_type == "Runtime.ExitError":
        assert (
            sum(line.endswith("Error: Runtime exited with error: exit status 4\nRuntime.ExitError") for line in lines)
            == 2
        )
    else:
        assert sum(line.startswith(f"[ERROR] {error_type}") for line in lines) == 2


def test_an_answer_that_is_not_json_is_an_error(make_function: MakeFunction) -> None:
    """Lambda calls it a marshal error."""
    error = make_function("def handler(e, c): return object()").invoke(None).error
    assert error is not None
    assert error["errorType"] == "Runtime.MarshalError"


def test_what_is_printed_goes_to_the_log_in_order(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """Prints, raw writes, children and log records stand between START and END, also without a newline."""
    function = make_function(
        "import logging, os, subprocess, sys\n"
        "def handler(e, c):\n"
        "    print('printed'); os.write(1, b'raw\\n'); print('to stderr', file=sys.stderr)\n"
        "    subprocess.run(['echo', 'child'])\n"
        "    logging.getLogger('me').warning('two\\nlines')\n"
        "    print('no newline', end='')\n"
    )
    answer = function.invoke(None)
    lines = log_of(server, function)
    assert lines[:5] == [
        f"START RequestId: {answer.request_id} Version: $LATEST",
        "printed",
        "raw",
        "to stderr",
        "child",
    ]
    assert lines[5].startswith("[WARNING]\t")
    assert lines[5].endswith(f"\t{answer.request_id}\ttwo\nlines")
    assert lines[6:8] == ["no newline", f"END RequestId: {answer.request_id}"]
    assert lines[8].startswith(f"REPORT RequestId: {answer.request_id}\tDuration: ")


def test_a_json_log_has_json_platform_lines(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """With LogFormat JSON the platform's lines, log records and exceptions are JSON objects."""
    function = make_function(
        "import logging\n"
        "def handler(e, c):\n"
        "    logging.getLogger('me').info('known %s', 1)\n"
        "    logging.getLogger('me').debug('hidden')\n"
        "    raise ValueError('no')",
        logs_json=True,
        application_log_level="INFO",
    )
    answer = function.invoke(None)
    start, known, failure, done, report = (json.loads(line) for line in log_of(server, function))
    assert start["type"] == "platform.start"
    assert (known["level"], known["message"], known["requestId"]) == ("INFO", "known 1", answer.request_id)
    assert (failure["level"], failure["errorType"]) == ("ERROR", "ValueError")
    assert (done["type"], done["record"]["status"]) == ("platform.runtimeDone", "error")
    assert (report["type"], report["record"]["status"]) == ("platform.report", "error")
    assert report["record"]["metrics"]["initDurationMs"] > 0


def test_a_function_that_prints_for_ever_is_bounded(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """Its log is cut and its timeout holds."""
    function = make_function("def handler(e, c):\n    while True: print('x' * 100_000)", timeout_s=1)
    assert function.invoke(None).error is not None
    assert sum(len(line) for line in log_of(server, function)) < 8_000_000


def test_stdin_belongs_to_nobody(make_function: MakeFunction) -> None:
    """A function that reads stdin finds it empty, and takes no invocation away."""
    function = make_function("import sys\ndef handler(e, c): return sys.stdin.read()")
    assert [function.invoke(None).payload for _ in range(2)] == ['""', '""']


def test_nothing_of_the_users_aws_settings_reaches_a_function(
    make_function: MakeFunction, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials, profile, endpoints, proxies and home are the emulator's, whatever the user and the template say."""
    theirs = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_SQS": "https://sqs.us-east-1.amazonaws.com",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/real/token",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/real",
        "HTTP_PROXY": "http://proxy.example",
        "OPSTOOL_QUEUE": "theirs",
    }
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    hostile = {
        "AWS_ENDPOINT_URL_LOGS": "https://real",
        "AWS_ENDPOINT_URL": "https://real",
        "AWS_PROFILE": "p",
        "OWN": "1",
    }
    function = make_function("import os\ndef handler(e, c): return dict(os.environ)", environment=hostile)
    seen = json.loads(function.invoke(None).payload)
    assert not set(theirs.values()) & set(seen.values())
    assert "real" not in json.dumps(seen)
    allowed = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert {seen[name] for name in allowed} == {"local"}
    assert seen["AWS_ENDPOINT_URL"] == server.endpoint_url
    assert seen["OWN"] == "1"
    assert seen["HOME"] not in (os.environ.get("HOME"), "")
    assert "AWS_PROFILE" not in seen


def test_boto3_is_there_and_speaks_to_the_emulator_only(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """The runtime brings boto3; its clients are on loopback without a word of configuration."""
    function = make_function("import boto3\ndef handler(e, c): return boto3.client('sqs').meta.endpoint_url")
    assert json.loads(function.invoke(None).payload) == server.endpoint_url


def test_other_packages_of_this_machine_are_not_there(make_function: MakeFunction) -> None:
    """A missing requirement fails here as it would in Lambda."""
    error = make_function("import typer\ndef handler(e, c): return 1").invoke(None).error
    assert error is not None
    assert error["errorType"] == "Runtime.ImportModuleError"


def test_a_throttled_function_runs_and_logs_nothing(make_function: MakeFunction, server: EmbeddedServer) -> None:
    """With a reserved concurrency of 0 an invocation fails without a trace."""
    function = make_function("def handler(e, c): return 1", reserved_concurrency=0)
    assert function.invoke(None).error == {"errorType": "TooManyRequestsException"}
    assert log_of(server, function) == []


def test_closing_ends_a_busy_function(make_function: MakeFunction) -> None:
    """Nobody waits for an invocation that is under way."""
    function = make_function("import time\ndef handler(e, c): time.sleep(60)", timeout_s=60)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(function.invoke, None)
        while not function._all:
            time.sleep(0.01)  # another thread starts the process: there is nothing to wait on
        function.close()
        assert under_way.result(timeout=10).error is not None


def test_a_function_does_not_outlive_opstool(make_function: MakeFunction, tmp_path: Path) -> None:
    """When its stdin ends, as it does when opstool is killed, it ends in the middle of its work."""
    busy = tmp_path / "busy"
    function = make_function(
        "import pathlib, time\ndef handler(e, c):\n    pathlib.Path(e).touch()\n    time.sleep(60)", timeout_s=60
    )
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(function.invoke, str(busy))
        while not busy.exists():
            time.sleep(0.01)  # it is another process: there is nothing to wait on
        (process,) = function._all
        process._process.stdin.close()  # type: ignore[union-attr]
        error = under_way.result(timeout=10).error
    assert error is not None
    assert error["errorType"] == "Runtime.ExitError"
