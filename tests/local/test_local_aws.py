"""The embedded AWS end to end, with a template that is not this project's."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.local import LocalAws, start, start_detached, state, status, stop
from opstool.words.errors import OpstoolError, RefusedError, UsageError

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Globals:
  Function:
    CodeUri: src
    Runtime: python3.12
    Timeout: 1
    Environment: {Variables: {GREETING: !Ref Greeting}}
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 6
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead: {Type: AWS::SQS::Queue}
  Other: {Type: AWS::SQS::Queue}
  Replies: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: pkg.deep.worker.handle
      Environment: {Variables: {REPLIES: !Ref Replies}}
      Policies: [AWSLambdaBasicExecutionRole, {SQSSendMessagePolicy: {QueueName: !GetAtt Replies.QueueName}}]
      Events:
        In: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}
  Foreign:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      Events:
        In: {Type: SQS, Properties: {Queue: !GetAtt Other.Arn}}
Outputs:
  OrdersURL: {Value: !Ref Orders}
  DeadURL: {Value: !Ref Dead}
  RepliesURL: {Value: !Ref Replies}
  OtherURL: {Value: !Ref Other}
  WorkerName: {Value: !Ref Worker}
"""
WORKER = """
import os, time, boto3
def handle(event, context):
    sqs = boto3.client("sqs")
    failed = []
    for record in event["Records"]:
        print("got " + record["messageId"])
        if record["body"] == "poison":
            failed.append({"itemIdentifier": record["messageId"]})
        elif record["body"] == "slow":
            time.sleep(30)
        else:
            text = os.environ["GREETING"] + " " + record["body"]
            sqs.send_message(QueueUrl=os.environ["REPLIES"], MessageBody=text)
    return {"batchItemFailures": failed}
"""


def write_template(folder: Path) -> Path:
    """Write the template and its function."""
    (folder / "src" / "pkg" / "deep").mkdir(parents=True)
    (folder / "src" / "pkg" / "deep" / "worker.py").write_text(WORKER)
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder / "template.yaml"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Start the embedded AWS once for this file."""
    template = write_template(tmp_path_factory.mktemp("project"))
    with start(template, stack_name="shop", parameters={"Greeting": "hi"}) as local:
        yield local


def until(holds: Callable[[], Any], within_s: float = 15) -> Any:
    """Wait for what other processes bring about, and return it."""
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def receive(local: LocalAws, output: str) -> list[dict[str, Any]]:
    """Receive from a queue of the stack's outputs."""
    received = local.settings.client("sqs").receive_message(
        QueueUrl=local.outputs[output], MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], VisibilityTimeout=0
    )
    return list(received.get("Messages", []))


def log_lines(local: LocalAws) -> list[str]:
    """Return what the worker logged."""
    found = local.settings.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{local.outputs['WorkerName']}")
    return [event["message"] for event in found["events"]]


def test_a_message_travels_through_the_function(local: LocalAws) -> None:
    """The function gets it, with the template's environment, and speaks to the emulator in turn."""
    local.settings.client("sqs").send_message(QueueUrl=local.outputs["OrdersURL"], MessageBody="there")
    until(lambda: [one["Body"] for one in receive(local, "RepliesURL")] == ["hi there"])


def test_a_message_the_function_rejects_dies_with_its_source_and_its_log(local: LocalAws) -> None:
    """After two receives it is in the DLQ, and the log has its id from before."""
    sqs = local.settings.client("sqs")
    sent = sqs.send_message(QueueUrl=local.outputs["OrdersURL"], MessageBody="poison")["MessageId"]
    for attempt in (1, 2):
        until(lambda attempt=attempt: log_lines(local).count(f"got {sent}") == attempt)
        local.advance(7)
    (dead,) = until(lambda: [one for one in receive(local, "DeadURL") if one["MessageId"] == sent])
    assert dead["Attributes"]["DeadLetterQueueSourceArn"].split(":")[-1].startswith("shop-Orders-")


def test_a_function_that_takes_too_long_kills_its_message(local: LocalAws) -> None:
    """The timeout is the function's, the message dies, and the log says why."""
    sqs = local.settings.client("sqs")
    sent = sqs.send_message(QueueUrl=local.outputs["OrdersURL"], MessageBody="slow")["MessageId"]
    for attempt in (1, 2):
        until(lambda attempt=attempt: sum(one.endswith("Status: timeout") for one in log_lines(local)) == attempt)
        local.advance(7)
    until(lambda: [one for one in receive(local, "DeadURL") if one["MessageId"] == sent])


def test_what_does_not_run_here_is_said_and_left_alone(local: LocalAws) -> None:
    """The function of another runtime has a note, and nobody takes its messages."""
    assert "Foreign: functions of the runtime nodejs22.x are not run, only Python's" in local.unsupported
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert (here == "python3.12") != any(f"is run by {here}" in note for note in local.unsupported)
    sqs = local.settings.client("sqs")
    sqs.send_message(QueueUrl=local.outputs["OtherURL"], MessageBody="b")
    assert [one["Body"] for one in receive(local, "OtherURL")] == ["b"]


def test_a_mapping_can_be_disabled_by_its_api(local: LocalAws) -> None:
    """UpdateEventSourceMapping(Enabled=false) stops the consumption, and true starts it again."""
    functions, sqs = local.settings.client("lambda"), local.settings.client("sqs")
    (mapping,) = functions.list_event_source_mappings(FunctionName=local.outputs["WorkerName"])["EventSourceMappings"]
    stopped = functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    assert (mapping["State"], stopped["State"]) == ("Enabled", "Disabling")
    assert all_pollers_saw_it_disabled(local)
    sent = sqs.send_message(QueueUrl=local.outputs["OrdersURL"], MessageBody="waits")["MessageId"]
    attributes = sqs.get_queue_attributes(QueueUrl=local.outputs["OrdersURL"], AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "1"
    assert functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Disabled"
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    until(lambda: f"got {sent}" in log_lines(local))


def all_pollers_saw_it_disabled(local: LocalAws) -> bool:
    """Tell whether no receive that began before the mapping was disabled is under way any more."""
    (running,) = local._mappings
    ask, saw = running._is_enabled, set()

    def note() -> bool:
        if not ask():
            saw.add(threading.current_thread())
        return ask()

    running._is_enabled = note
    until(lambda: local._server.end_long_polls() or len(saw) == len(running._threads))
    running._is_enabled = ask
    return True


def test_a_second_one_in_the_process_is_refused(local: LocalAws, tmp_path: Path) -> None:
    """The emulator's state is the process's."""
    with pytest.raises(RefusedError):
        start(write_template(tmp_path), stack_name="second")


def test_nothing_of_it_needs_the_users_aws_settings(
    local: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detached one starts with a broken profile and a proxy, is found, and stops; its file is private."""
    monkeypatch.setenv("AWS_PROFILE", "there-is-no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sqs.us-east-1.amazonaws.com")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    folder = tmp_path / "state"
    started = start_detached(write_template(tmp_path), stack_name="shop", state_dir=folder)
    try:
        assert status(folder) == started
        assert (folder / state.FILE_NAME).stat().st_mode & 0o077 == 0
        assert (folder / "local.log").stat().st_mode & 0o077 == 0
        with pytest.raises(RefusedError, match="already runs"):
            start_detached(write_template(tmp_path / "again"), stack_name="shop", state_dir=folder)
        sqs = started.settings.client("sqs")
        sqs.send_message(QueueUrl=started.outputs["OrdersURL"], MessageBody="you")
        until(lambda: sqs.receive_message(QueueUrl=started.outputs["RepliesURL"]).get("Messages"))
    finally:
        assert stop(folder)
    assert status(folder) is None
    assert not stop(folder)


def test_a_detached_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error is the child's, with its code."""
    with pytest.raises(OpstoolError, match=r"cannot read the template .*nothing\.yaml") as caught:
        start_detached(tmp_path / "nothing.yaml", stack_name="s", state_dir=tmp_path / "state")
    assert caught.value.code == "not_found"
    assert status(tmp_path / "state") is None


def test_a_file_left_by_a_dead_one_is_not_believed(tmp_path: Path, local: LocalAws) -> None:
    """Neither a dead address, nor another instance on the same port, nor another machine, is taken for it."""
    noted = {**vars(local.status), "pid": os.getpid(), "unsupported": []}
    wrong = (
        {"endpoint_url": "http://127.0.0.1:1"},
        {"instance_id": "of another"},
        {"endpoint_url": "http://192.0.2.1:80"},
    )
    for change in wrong:
        (tmp_path / state.FILE_NAME).write_text(json.dumps({**noted, **change}))
        assert status(tmp_path) is None
        assert not (tmp_path / state.FILE_NAME).exists()
    (tmp_path / state.FILE_NAME).write_text("not ours")
    assert status(tmp_path) is None


def test_a_function_slower_than_its_queue_is_refused(tmp_path: Path, local: LocalAws) -> None:
    """As Lambda refuses it: the visibility timeout must not be less than the timeout."""
    from opstool.local.deployment import deploy  # noqa: PLC0415 imports the emulator
    from opstool.local.template import translate  # noqa: PLC0415

    path = write_template(tmp_path)
    path.write_text(TEMPLATE.replace("Timeout: 1\n", "Timeout: 7\n"))
    translated = translate(path, parameters={}, settings=local.settings)
    with pytest.raises(UsageError, match="visibility timeout of 6 s is less than the timeout of Worker, 7 s"):
        deploy(translated, stack_name="slow", settings=local.settings, inline_folder=tmp_path)
