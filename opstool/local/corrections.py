"""Every correction to moto 5.2.5 that opstool needs, put in place by `install`.

Each has a test in tests/local/test_corrections.py that also runs moto without it, and fails once moto is right by
itself.

Queues (emulated_queue.py, queue_backend.py, send_rules.py)
  one lock            two receives at once could hand out one message twice, or lose it
  speed               the retention check and the attributes counted the whole queue for each message
  trace header        AWSTraceHeader was dropped by SendMessageBatch
  MD5 of the header   MD5OfMessageSystemAttributes was not answered, so nobody could see that the header was stored
  source ARN          DeadLetterQueueSourceArn was unknown
  redrive allow       RedriveAllowPolicy could not be read
  receive count       maxReceiveCount outside 1 to 1,000 was accepted
  sizes               counted in characters and without the attributes, and one large entry failed its whole batch
  timestamps          those of a queue had fractions of a second
  contents            empty bodies, characters outside XML's, and more than ten attributes were accepted
  retention           an expired message stopped the receive instead of vanishing
  visibility          a message that was not in flight could be hidden, and the twelve hours counted from the send
  FIFO order          after a visibility timeout a later message of a group could overtake
  FIFO deduplication  forgotten with the message, blind to DeduplicationScope, and answered with a new id
  FIFO handles        an expired receipt handle still deleted
  FIFO dead letters   kept their deduplication id, so that the DLQ could drop them, and their old timestamp
  queue URLs          Ref of a queue named amazonaws.com: a function would have left this machine
  move tasks          ListMessageMoveTasks was an HTTP 500; now there are none, and starting one is refused

Logs (log_backend.py, log_query.py)
  filter patterns     those that were not understood matched everything
  order of events     FilterLogEvents answered one stream after the other, and took no prefix of stream names
  queries             StartQuery filtered nothing, took no limit and refused no query; StopQuery was an HTTP 500
  statistics          GetQueryResults had none, and an unknown query was an HTTP 500
  retention           of a log group was a text when a parameter of the template gave it
  log lock            reading a log group while a stream was added could fail

Functions (function_backend.py)
  logging             LoggingConfig was dropped, and not answered
  from a stack        the KMS key and the architectures were dropped
  mappings by ARN     ListEventSourceMappings knew a function only by the text that its mapping was made with
  mapping's state     a mapping was Disabled while its pollers worked, and Enabled when CloudFormation gave "false"
  mapping's numbers   those that a parameter of the template gave were texts, and what was not given was not answered

Beside them
  request's action    `&Action=DeleteQueue&` in a message's body was carried out, or was an HTTP 500
  no Docker           a message sent to a queue with an event source mapping started Lambda in Docker
  FIFO names          CloudFormation generated names for FIFO queues without `.fifo`
  no user profile     moto asked for a boto3 session of the user's, which fails when AWS_PROFILE names nothing
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import boto3
import moto.sqs.models as sqs_models
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.responses import ActionResult, BaseResponse
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Queue as MotoQueue
from moto.sqs.models import SQSBackend, sqs_backends
from moto.sqs.responses import SQSResponse

from opstool.doors.clock import Clock
from opstool.local import emulated_queue, function_backend, log_backend
from opstool.local.client import DEFAULT_REGION, ClientSettings, isolated_session
from opstool.local.emulated_queue import CorrectQueue
from opstool.local.emulator_time import NOW
from opstool.local.queue_backend import CorrectBackend
from opstool.words.message import md5_of_trace_header

_UNDER_THE_LOCK = (
    "create_queue",
    "delete_queue",
    "get_queue_attributes",
    "list_dead_letter_source_queues",
    "list_queues",
    "purge_queue",
    "set_queue_attributes",
)
_installed = False


def install(clock: Clock) -> None:
    """Correct moto in this process, once, and let the queues follow `clock`."""
    global _installed  # noqa: PLW0603 moto's classes are the process's, so is their correction
    NOW.follow(clock)
    if _installed:
        return
    _installed = True
    _correct_queues()
    _correct_responses()
    _correct_cloudformation()
    log_backend.install()
    function_backend.install()
    AccountSpecificBackend.get_session = classmethod(lambda _: _own_session())  # type: ignore[method-assign,assignment]


def import_cloudformation() -> None:
    """Import moto's CloudFormation, which asks boto3 for a session of the user's while it is imported."""
    theirs = boto3.Session
    setattr(boto3, "Session", _own_session)  # noqa: B010 mypy wants a class here
    try:
        importlib.import_module("moto.cloudformation.parsing")
    finally:
        setattr(boto3, "Session", theirs)  # noqa: B010 as above


def _own_session() -> boto3.session.Session:
    return isolated_session(ClientSettings(endpoint_url="", region=DEFAULT_REGION))


def name_endpoint(endpoint_url: str) -> None:
    """Let the queue URLs of stacks point to `endpoint_url`."""
    emulated_queue.endpoint_url = endpoint_url


def advance(seconds: float) -> None:
    """Move the queues' time forward and wake whoever waits for it."""
    NOW.skip(seconds)
    for backend in _backends():
        with backend.changed:
            backend.changed.notify_all()


def end_long_polls() -> None:
    """Let every receive that waits now answer, with what there is."""
    for backend in _backends():
        with backend.changed:
            backend.wake_ups += 1
            backend.changed.notify_all()


def forget_everything() -> None:
    """Delete every resource of every emulated service in this process."""
    BackendDict.reset()


def _backends() -> list[CorrectBackend]:
    found = (backend for account in list(sqs_backends.values()) for backend in list(account.values()))
    return [backend for backend in found if isinstance(backend, CorrectBackend)]


def _correct_queues() -> None:
    for name in _UNDER_THE_LOCK:
        setattr(CorrectBackend, name, _locked_by_backend(getattr(SQSBackend, name)))
    # A backend finds its service's URLs by the module of its class.
    CorrectBackend.__module__ = SQSBackend.__module__
    sqs_models.Queue = CorrectQueue  # type: ignore[misc]
    for name, now in (("unix_time", NOW.seconds), ("unix_time_millis", NOW.millis)):
        setattr(sqs_models, name, now)
    sqs_backends.backend = CorrectBackend
    sqs_backends.clear()


def _locked_by_backend(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(self: CorrectBackend, *args: Any, **kwargs: Any) -> Any:
        with self.changed:
            return method(self, *args, **kwargs)

    return locked


def _correct_responses() -> None:
    receive = SQSResponse.receive_message
    action_anywhere = BaseResponse._get_action  # noqa: SLF001 moto has no other seam for it

    def action_of(self: BaseResponse) -> str:
        target: str | None = self.headers.get("X-Amz-Target")
        return target.rpartition(".")[2] if target else action_anywhere(self)

    def receive_message(self: SQSResponse) -> ActionResult:
        answer = receive(self)
        wanted = {*self._get_param("AttributeNames", []), *self._get_param("MessageSystemAttributeNames", [])}
        if wanted & {"All", "DeadLetterQueueSourceArn"}:
            _add_source_arns(answer, self.sqs_backend)
        return answer

    send, send_batch = SQSResponse.send_message, SQSResponse.send_message_batch

    def send_message(self: SQSResponse) -> ActionResult:
        answer: Any = send(self)
        _add_header_md5(answer.result, self._get_param("MessageSystemAttributes", {}))
        return answer  # type: ignore[no-any-return]

    def send_message_batch(self: SQSResponse) -> ActionResult:
        answer: Any = send_batch(self)
        sent = {each["Id"]: each for each in answer.result["Successful"]}
        for entry in self._get_param("Entries", []):
            _add_header_md5(sent.get(entry["Id"], {}), entry.get("MessageSystemAttributes", {}))
        return answer  # type: ignore[no-any-return]

    def list_message_move_tasks(_: SQSResponse) -> ActionResult:
        return ActionResult({"Results": []})

    def refuse_move_task(_: SQSResponse) -> ActionResult:
        raise SQSException(
            "AWS.SimpleQueueService.UnsupportedOperation", "The embedded AWS does not support message move tasks."
        )

    BaseResponse._get_action = action_of  # type: ignore[method-assign] # noqa: SLF001
    SQSResponse.receive_message = receive_message  # type: ignore[method-assign]
    SQSResponse.send_message = send_message  # type: ignore[method-assign]
    SQSResponse.send_message_batch = send_message_batch  # type: ignore[method-assign]
    SQSResponse.list_message_move_tasks = list_message_move_tasks  # type: ignore[attr-defined]
    SQSResponse.start_message_move_task = refuse_move_task  # type: ignore[attr-defined]
    SQSResponse.cancel_message_move_task = refuse_move_task  # type: ignore[attr-defined]


def _add_header_md5(sent: dict[str, Any], attributes: dict[str, Any]) -> None:
    if md5 := md5_of_trace_header(attributes.get("AWSTraceHeader", {}).get("StringValue")):
        sent["MD5OfMessageSystemAttributes"] = md5


def _add_source_arns(answer: ActionResult, backend: Any) -> None:
    result: Any = answer.result
    for message in result.get("Messages", []):
        if arn := backend.source_arns.get(message["MessageId"]):
            message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = arn


def _correct_cloudformation() -> None:
    create = MotoQueue.create_from_cloudformation_json

    def create_with_fifo_name(_: Any, name: str, description: Any, *args: Any, **kwargs: Any) -> Any:
        properties = description["Properties"]
        if str(properties.get("FifoQueue", "")).lower() == "true" and "QueueName" not in properties:
            name = f"{name[:75]}.fifo"
        return create(name, description, *args, **kwargs)

    # On moto's own class: CloudFormation knows that one, and finds the corrected one through the backend.
    MotoQueue.create_from_cloudformation_json = classmethod(create_with_fifo_name)  # type: ignore[assignment]
