"""The commands of the embedded AWS, with the emulator itself left out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from opstool.local.state import LocalStatus
from opstool.words.errors import RefusedError
from tests.cli.world import World

RUNNING = LocalStatus(
    endpoint_url="http://127.0.0.1:4567",
    region="us-east-1",
    stack_name="orders-stack",
    outputs={"ProcessingDLQARN": "arn:aws:sqs:us-east-1:123456789012:orders-dlq"},
    unsupported=("alarms are not evaluated",),
    pid=4711,
    instance_id="secret-id",
)
KEYS = {"version", "type", "endpoint_url", "region", "stack_name", "outputs", "pid", "unsupported"}


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the emulator by one that only notes what it was asked."""
    Path("template.yaml").write_text("Resources: {}")
    asked: dict[str, Any] = {}

    def start_detached(template: Path, **options: Any) -> LocalStatus:
        asked.update(options, template=template)
        return RUNNING

    @contextmanager
    def start(template: Path, **options: Any) -> Iterator[Any]:
        asked.update(options, template=template, closed=False)
        stopped = threading.Event()
        stopped.set()
        yield SimpleNamespace(status=RUNNING, stopped=stopped)
        asked["closed"] = True

    def stop(state_dir: Path) -> bool:
        return asked.setdefault("running", True)

    monkeypatch.setattr("opstool.local.start_detached", start_detached)
    monkeypatch.setattr("opstool.local.start", start)
    monkeypatch.setattr("opstool.local.detached.stop", stop)
    monkeypatch.setattr("opstool.local.state.status", lambda _: RUNNING)
    return asked


def test_start_detached_shows_what_runs(world: World, asked: dict[str, Any]) -> None:
    """The outputs are data; what is not supported is said on stderr."""
    ended = world.run("local", "start", "--detach", "--parameter", "FunctionTimeout=1", "--stack-name", "mine")
    assert ended.status == 0
    assert "http://127.0.0.1:4567" in ended.out
    assert "alarms are not evaluated" in ended.err
    assert (asked["stack_name"], asked["parameters"]) == ("mine", {"FunctionTimeout": "1"})
    assert asked["state_dir"] == world.state_dir


@pytest.mark.parametrize(
    ("outputs", "follow"),
    [
        ({"ProcessingQueueARN": "arn:aws:sqs:us-east-1:123456789012:orders"}, "send-test-batch --poison 3"),
        ({}, "dlq queues"),
    ],
    ids=["our template", "anybody's"],
)
def test_the_hint_after_a_start_is_a_command_that_works(
    world: World,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    outputs: dict[str, str],
    follow: str,
) -> None:
    """A stack without our outputs has no queue that could be left out; --local is said once."""
    monkeypatch.setattr("opstool.local.start_detached", lambda *_, **__: replace(RUNNING, outputs=outputs))
    hint = world.run("--local", "local", "start", "--detach").err.split("hint: ")[1]
    assert hint.count("--local") == 1
    assert hint.endswith(f"{follow}\n")


def test_start_in_the_foreground_waits_and_closes(world: World, asked: dict[str, Any]) -> None:
    """Without --detach it runs until it is stopped, and that is status 0."""
    assert world.run("local", "start").status == 0
    assert asked["closed"] is True


def test_the_stack_is_named_as_samconfig_names_it(world: World, asked: dict[str, Any]) -> None:
    """The stack name of samconfig.toml in this folder is the default."""
    Path("samconfig.toml").write_text('[default.global.parameters]\nstack_name = "from-samconfig"\n')
    world.run("local", "start", "--detach")
    assert asked["stack_name"] == "from-samconfig"


def test_status_and_stop_as_json(world: World, asked: dict[str, Any]) -> None:
    """`local status` is one document; the instance's secret is not in it."""
    ended = world.run("local", "status", "--output", "json")
    assert set(ended.document) == KEYS
    assert "secret-id" not in ended.out
    assert world.run("local", "stop", "--output", "json").document["was_running"] is True
    asked["running"] = False
    assert world.run("local", "stop").status == 0


def test_a_template_that_is_not_there_is_said(world: World) -> None:
    """The error names the file and the option."""
    ended = world.run("local", "start", "--template", "nowhere.yaml")
    assert ended.status == 1
    assert "nowhere.yaml" in ended.err


def test_a_parameter_without_a_value_is_wrong_usage(world: World, asked: dict[str, Any]) -> None:
    """KEY=VALUE is asked for."""
    assert world.run("local", "start", "--parameter", "x").status == 2


def test_a_second_start_is_refused(world: World, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's refusal is status 4 with its hint."""

    def refuse(*_: Any, **__: Any) -> LocalStatus:
        raise RefusedError("the embedded AWS already runs", code="local_running", hint="opstool local stop")

    monkeypatch.setattr("opstool.local.start_detached", refuse)
    ended = world.run("local", "start", "--detach")
    assert ended.status == 4
    assert "local stop" in ended.err


def test_without_the_extra_the_package_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the emulator is not installed, the command that installs it is the hint."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for argv in (["local", "start"], ["demo"]):
        ended = world.run(*argv)
        assert ended.status == 1
        assert "pip install 'opstool[local]'" in ended.err
