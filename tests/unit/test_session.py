"""The door to AWS over a loopback server that answers as it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opstool.doors.session import Connection, Session
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError, UsageError

SEND = (
    "SendMessageBatch",
    {"QueueUrl": "http://127.0.0.1/1/orders", "Entries": [{"Id": "0", "MessageBody": "secret"}]},
)
RECEIVE = ("ReceiveMessage", {"QueueUrl": "http://127.0.0.1/1/orders"})
DELETE = (
    "DeleteMessageBatch",
    {"QueueUrl": "http://127.0.0.1/1/orders", "Entries": [{"Id": "0", "ReceiptHandle": "h"}]},
)


class Endpoint:
    """Answers every request with the same bytes (None: never), counts them, and closes the connection."""

    def __init__(self, answer: bytes | None) -> None:
        self.requests = 0
        self._answer = answer
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            connection, _ = self._socket.accept()
            with connection:
                if self._over.is_set():
                    return
                self._read(connection)
                self.requests += 1
                if self._answer is None:
                    self._over.wait(2)
                else:
                    connection.sendall(self._answer)

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        while lengths and len(body) < int(lengths[0]):
            body += connection.recv(65_536)

    def close(self) -> None:
        """Stop."""
        self._over.set()
        with socket.create_connection(self._socket.getsockname()):
            pass
        self._thread.join()
        self._socket.close()


@pytest.fixture
def endpoint() -> Iterator[Callable[[bytes | None], Endpoint]]:
    """Open endpoints."""
    opened: list[Endpoint] = []

    def make(answer: bytes | None) -> Endpoint:
        opened.append(Endpoint(answer))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def http(status: int, body: bytes = b"{}", query_code: str = "") -> bytes:
    """Return an answer of SQS's JSON protocol."""
    extra = f"x-amzn-query-error: {query_code};Sender\r\n" if query_code else ""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close\r\n"
    return f"{head}{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


def refusal(code: str, query_code: str = "", status: int = 400) -> bytes:
    """Return a refusal with the modelled code and, where SQS sends one, the legacy code beside it."""
    return http(status, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}).encode(), query_code)


def session_at(url: str, *, timeout_s: float = 1.0) -> Session:
    """Return a session with made-up credentials."""
    return Session(
        Connection(
            endpoint_url=url, region="us-east-1", access_key_id="made", secret_access_key="up", timeout_s=timeout_s
        )
    )


def error_of(act: Callable[[], object]) -> OpstoolError:
    """Return the error of something that has to fail; whatever it is, it has no body in it."""
    with pytest.raises(OpstoolError) as caught:
        act()
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    return caught.value


CUT = http(200, b'{"Successful": [{"Id"').replace(b"Content-Length: 2", b"Content-Length: 9")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "no_answer"),
        (None, "no_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "no_answer"),
        (http(500), "aws_error"),
        (http(503), "aws_error"),
        (http(200, b"<html>please sign in</html>"), "no_answer"),
        (http(200, b"").replace(b"application/x-amz-json-1.0", b"text/html"), "no_answer"),
        (http(200, b"").replace(b"Content-Length: 0\r\n", b""), "no_answer"),
        (http(200, b"[1]"), "no_answer"),
        (http(200, b'{"Messages": 1, "Successful": 1}'), "no_answer"),
        (CUT, "no_answer"),
    ],
    ids=[
        "closed",
        "silent",
        "closed in the head",
        "500",
        "503",
        "a proxy's page",
        "an empty page",
        "closed after the head",
        "a list",
        "other types",
        "closed in the middle",
    ],
)
@pytest.mark.parametrize("request_of", [SEND, RECEIVE], ids=["send", "receive"])
def test_without_a_whole_answer_the_outcome_is_unknown_and_nothing_is_repeated(
    endpoint: Callable[[bytes | None], Endpoint],
    answer: bytes | None,
    code: str,
    request_of: tuple[str, dict[str, object]],
) -> None:
    """Only the engine repeats, after journaling: a hidden repetition sends twice, or hides messages."""
    server = endpoint(answer)
    error = error_of(lambda: session_at(server.url).sqs_call(*request_of))
    assert isinstance(error, ServiceError)
    assert (error.code, error.outcome_unknown, error.retryable) == (code, True, True)
    assert server.requests == 1


def test_an_empty_answer_that_says_it_is_one_is_an_empty_queue(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """SQS answers `{}`; local-aws-sqs answers no byte, with its length and the type of SQS's protocol."""
    answer = session_at(endpoint(http(200, b"")).url).sqs_call(*RECEIVE)
    assert not answer.get("Messages")


def test_a_delete_may_be_repeated_by_the_client(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """To delete twice is to delete."""
    server = endpoint(http(500))
    error_of(lambda: session_at(server.url).sqs_call(*DELETE))
    assert server.requests > 1


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal("AccessDenied", "AccessDenied", 403), AccessError, "access_denied"),
        (refusal("KmsAccessDenied", "KMS.AccessDeniedException"), AccessError, "access_denied"),
        (refusal("ExpiredToken", status=403), AccessError, "credentials_expired"),
        (refusal("InvalidClientTokenId", status=403), AccessError, "credentials_invalid"),
        (refusal("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"), NotFoundError, "queue_not_found"),
        (refusal("RequestThrottled", "RequestThrottled", 403), ServiceError, "throttled"),
        (refusal("KmsThrottled", "KMS.ThrottlingException"), ServiceError, "throttled"),
        (refusal("OverLimit", "OverLimit", 403), ServiceError, "over_limit"),
        (refusal("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"), ServiceError, "batch_too_long"),
        (refusal("InvalidParameterValueException", "InvalidParameterValue"), ServiceError, "invalid_request"),
        (refusal("UnknownOperationException"), ServiceError, "unknown_operation"),
        (refusal("ResourceInUseException"), ServiceError, "busy"),
        (refusal("ResourceConflictException"), ServiceError, "busy"),
        (refusal("LimitExceededException"), ServiceError, "limit_exceeded"),
        (refusal("SomethingNew"), ServiceError, "aws_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_says_what_the_caller_can_do(
    endpoint: Callable[[bytes | None], Endpoint], answer: bytes, kind: type[OpstoolError], code: str
) -> None:
    """By the modelled code or by the legacy one."""
    error = error_of(lambda: session_at(endpoint(answer).url).sqs_call(*SEND))
    assert type(error) is kind
    assert error.code == code
    assert not getattr(error, "outcome_unknown", False)
    assert getattr(error, "retryable", False) is (code == "throttled")


def test_a_denied_action_is_named(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """As it has to stand in the policy."""
    error = error_of(lambda: session_at(endpoint(refusal("AccessDenied", status=403)).url).sqs_call(*DELETE))
    assert error.hint is not None
    assert "`DeleteMessage`" in error.hint


def test_what_the_queues_key_denies_is_named(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """The action on the queue may be allowed already."""
    answer = refusal("KmsAccessDenied", "KMS.AccessDeniedException")
    error = error_of(lambda: session_at(endpoint(answer).url).sqs_call(*DELETE))
    assert "`kms:Decrypt` and `kms:GenerateDataKey`" in str(error.hint)


def test_a_closed_port_is_no_connection() -> None:
    """Nothing left this machine, so nothing is uncertain."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = error_of(lambda: session_at(f"http://127.0.0.1:{port}").sqs_call(*SEND))
    assert isinstance(error, ServiceError)
    assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)


def test_the_region_is_found_where_the_aws_cli_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION before AWS_DEFAULT_REGION; boto3 alone knows only the second. What is asked for by name wins."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Session().region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert Session().region == "eu-central-1"
    assert Session(Connection(region="us-east-1")).region == "us-east-1"


def test_no_region_says_so() -> None:
    """With the means to name one."""
    error = error_of(lambda: Session().sqs_call(*SEND))
    assert (type(error), error.code) == (AccessError, "no_region")
    assert Session().region is None


def test_no_credentials_says_so() -> None:
    """Before anything is sent."""
    error = error_of(lambda: Session(Connection(region="us-east-1", endpoint_url="http://127.0.0.1:9")).sqs_call(*SEND))
    assert (type(error), error.code) == (AccessError, "no_credentials")


def test_a_profile_that_does_not_exist_is_a_usage_error() -> None:
    """And is named."""
    error = error_of(lambda: Session(Connection(profile="nobody")).region)
    assert (type(error), error.code) == (UsageError, "invalid_setting")
    assert "nobody" in error.message


def test_an_expired_sign_in_says_how_to_sign_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSO without a token."""
    config = tmp_path / "config"
    config.write_text(
        "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session s]\nsso_start_url = https://127.0.0.1/\nsso_region = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    error = error_of(lambda: Session(Connection(profile="sso", region="us-east-1")).sqs_call(*RECEIVE))
    assert (type(error), error.code, error.hint) == (AccessError, "credentials_expired", "aws sso login")


def test_a_broken_configuration_file_is_not_taken_for_a_lost_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing was sent, and to try again would not help."""
    config = tmp_path / "config"
    config.write_text("this is no configuration\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    error = error_of(lambda: Session(Connection(region="us-east-1")).sqs_call(*SEND))
    assert not getattr(error, "outcome_unknown", False)
    assert not getattr(error, "retryable", False)


@pytest.mark.parametrize("url", ["somewhere", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_a_usage_error(url: str) -> None:
    """Botocore says so by a ValueError."""
    assert type(error_of(lambda: session_at(url).sqs_call(*SEND))) is UsageError


def test_a_parameter_that_botocore_refuses_is_not_quoted() -> None:
    """It may be a body."""
    entries = [{"Id": "0", "MessageBody": b"secret"}]
    act = session_at("http://127.0.0.1:9").sqs_call
    error = error_of(lambda: act("SendMessageBatch", {"QueueUrl": "http://127.0.0.1/1/q", "Entries": entries}))
    assert "MessageBody" in error.message


def test_clients_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes longer than a request; those that must not repeat are others."""
    session = session_at("http://127.0.0.1:9")
    assert session.client("sqs") is session.client("sqs")
    assert session.client("sqs") is not session.client("sqs", one_attempt=True)
    assert session.client("sqs", one_attempt=True).meta.config.retries["total_max_attempts"] == 1


def test_the_identity_is_told(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """For the audit trail."""
    answer = (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>x</UserId><Account>123456789012</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    identity = session_at(endpoint(http(200, answer)).url).identity()
    assert (identity.account, identity.arn) == ("123456789012", "arn:aws:iam::123456789012:user/me")


def test_an_identity_that_cannot_be_read_is_no_answer(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """A sign-in page in STS's place is an expected error, and is not quoted."""
    server = endpoint(http(200, b"<html>please sign in, secret</html"))
    error = error_of(session_at(server.url).identity)
    assert isinstance(error, ServiceError)
    assert (error.code, error.outcome_unknown, error.retryable) == ("no_answer", True, True)


MAPPINGS: tuple[str, str, dict[str, object]] = ("lambda", "ListEventSourceMappings", {"EventSourceArn": "arn"})
GROUPS: tuple[str, str, dict[str, object]] = ("logs", "DescribeLogGroups", {"logGroupNamePrefix": "/aws"})


@pytest.mark.parametrize("question", [MAPPINGS, GROUPS], ids=["lambda", "logs"])
@pytest.mark.parametrize(
    "body",
    [b"<html>secret</html>", b"[1]", b"null", b"", b'{"EventSourceMappings": "x", "logGroups": 5}'],
    ids=["page", "list", "null", "nothing", "other types"],
)
def test_what_is_no_answer_of_the_service_is_neither_an_empty_one_nor_asked_for_again(
    endpoint: Callable[[bytes | None], Endpoint], question: tuple[str, str, dict[str, object]], body: bytes
) -> None:
    """A server that has SQS alone may answer everything else with yes: then there are mappings that nobody sees."""
    server = endpoint(http(200, body))
    error = error_of(lambda: session_at(server.url).ask(*question))
    assert isinstance(error, ServiceError)
    assert (error.code, error.retryable, server.requests) == ("foreign_answer", False, 1)


def test_a_page_in_the_place_of_an_error_is_not_quoted(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """It would be many lines of a note that is one."""
    error = error_of(lambda: session_at(endpoint(http(404, b"<html>\n secret")).url).ask(*MAPPINGS))
    assert error.message == "`ListEventSourceMappings` failed: 404: what answers is not AWS"


def test_what_a_server_has_not_is_no_failure_that_passes(endpoint: Callable[[bytes | None], Endpoint]) -> None:
    """One says 501 and InternalFailure for the services that it was started without."""
    error = error_of(lambda: session_at(endpoint(refusal("InternalFailure", status=501)).url).ask(*GROUPS))
    assert isinstance(error, ServiceError)
    assert (error.code, error.retryable) == ("unknown_operation", False)


def test_a_service_that_commands_go_on_without_is_waited_for_less_long() -> None:
    """It is asked three times; a long poll and an archive need the time."""
    session = session_at("http://127.0.0.1:9", timeout_s=30)
    times = {each: session.client(each).meta.config.read_timeout for each in ("sqs", "s3", "lambda", "logs")}
    assert times == {"sqs": 30, "s3": 30, "lambda": 10, "logs": 10}
