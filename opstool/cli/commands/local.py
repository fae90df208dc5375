"""The commands of the embedded AWS: start, status, stop, and the demo."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opstool.cli.errors import DONE
from opstool.cli.invocation import Invocation
from opstool.cli.options import command
from opstool.cli.screen import safe
from opstool.doors.samconfig import local_parameters, stack_name_from
from opstool.doors.stack import SOURCE_OUTPUT
from opstool.words.errors import NotFoundError, OpstoolError, UsageError

if TYPE_CHECKING:
    from opstool.local import LocalAws, LocalStatus

_DEFAULT_STACK = "opstool-local"
Template = Annotated[
    Path, typer.Option("--template", metavar="FILE", show_default=False, help="SAM template (template.yaml).")
]


@command("local start", examples=("opstool local start --detach", "opstool local start --template other/template.yaml"))
def start_local(
    call: Invocation,
    *,
    template: Template = Path("template.yaml"),
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="KEY=VALUE", help="Parameter of the template.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Come back when it runs; `local stop` ends it.")] = False,
) -> int:
    """Deploy a template into an AWS on this machine, and run its functions on their queues."""
    _check_installed()
    if not template.is_file():
        raise NotFoundError(f"`{template}` does not exist", code="file_not_found", hint="--template names another one")
    from opstool.local import start, start_detached  # noqa: PLC0415 - only this command needs an emulator

    samconfig = template.parent / "samconfig.toml"
    stack_name = call.options.stack_name or stack_name_from(samconfig) or _DEFAULT_STACK
    parameters = local_parameters(samconfig) | _parameters(parameter or ())
    if parameters:
        call.notices.note("parameters: " + safe(" ".join(f"{key}={value}" for key, value in parameters.items())))
    call.progress.begin(f"deploying {template}")
    if detach:
        _say_started(
            call,
            start_detached(template, stack_name=stack_name, state_dir=call.state_dir, parameters=parameters),
        )
        return DONE
    with start(template, stack_name=stack_name, state_dir=call.state_dir, parameters=parameters) as running:
        _say_started(call, running.status)
        call.notices.note("running; Ctrl-C ends it")
        _wait(running)
        call.progress.begin("stopping")
    return DONE


@command("local status")
def show_local(call: Invocation) -> int:
    """Show the embedded AWS that runs, with the outputs of its stack."""
    from opstool.local.state import status  # noqa: PLC0415 - as above

    running = status(call.state_dir)
    if running is None:
        raise NotFoundError("no embedded AWS is running", code="local_not_running", hint="opstool local start --detach")
    _show(call, running)
    return DONE


@command("local stop")
def stop_local(call: Invocation) -> int:
    """Stop the embedded AWS; its queues and messages are gone with it."""
    from opstool.local.detached import stop  # noqa: PLC0415 - as above

    call.progress.begin("stopping")
    was_running = stop(call.state_dir)
    if not call.output.is_text:
        call.output.document({"version": 1, "type": "local_stopped", "was_running": was_running})
    else:
        call.notices.note("stopped" if was_running else "no embedded AWS was running")
    return DONE


@command("demo")
def show_demo(call: Invocation) -> int:
    """Watch the whole story in one process, without an AWS account: deploy, send, fail, look, redrive, purge."""
    _check_installed()
    from opstool.cli.demostory import tell  # noqa: PLC0415 - as above

    tell(call.frame.main, call.output.line)
    return DONE


def _check_installed() -> None:
    if not all(importlib.util.find_spec(name) for name in ("moto", "samtranslator")):
        raise OpstoolError(
            "the embedded AWS is not installed", code="local_not_installed", hint="pip install 'opstool[local]'"
        )


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    split = [each.partition("=") for each in pairs]
    if not all(name and equals for name, equals, _ in split):
        raise UsageError("`--parameter` is given as KEY=VALUE")
    return {name: value for name, _, value in split}


def _wait(running: LocalAws) -> None:
    """Wait until another process, or a signal, ends it: here that is no interruption but the end that was meant."""
    try:
        running.stopped.wait()
    except KeyboardInterrupt:
        return


def _say_started(call: Invocation, running: LocalStatus) -> None:
    _show(call, running)
    for note in running.unsupported:
        call.notices.note(f"not supported: {safe(note)}")
    follow = "send-test-batch --poison 3" if SOURCE_OUTPUT in running.outputs else "dlq queues"
    local_option = "" if call.options.local else " --local"
    call.notices.note(f"\nhint: {call.frame.program}{local_option} {follow}")


def _show(call: Invocation, running: LocalStatus) -> None:
    if not call.output.is_text:
        call.output.document(_document(running))
        return
    for line in _lines(running):
        call.output.line(line)


def _lines(running: LocalStatus) -> Iterator[str]:
    yield f"{'endpoint':12} {safe(running.endpoint_url)}"
    yield f"{'region':12} {safe(running.region)}"
    yield f"{'stack':12} {safe(running.stack_name)}"
    yield f"{'process':12} {running.pid}"
    if running.outputs:
        yield "outputs"
        width = max(map(len, running.outputs))
        yield from (f"  {safe(name):{width}}  {safe(value)}" for name, value in sorted(running.outputs.items()))


def _document(running: LocalStatus) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "local",
        "endpoint_url": running.endpoint_url,
        "region": running.region,
        "stack_name": running.stack_name,
        "outputs": running.outputs,
        "pid": running.pid,
        "unsupported": list(running.unsupported),
    }
