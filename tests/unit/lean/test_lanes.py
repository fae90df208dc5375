"""Which lane is taken, and what is said where it is boto3's."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from opstool.doors import lanes
from opstool.doors.lean.hooks import stranger
from opstool.doors.lean.rehearsal import SAMPLES, rehearse
from opstool.doors.session import Connection, Session
from opstool.doors.toolkit import connect
from opstool.words.errors import AccessError, OpstoolError, UsageError
from opstool.words.queue import Queue
from tests.unit.lean.server import RECEIVE, SEND, Server, answer, session_at

KEYS = {"aws_access_key_id": "made", "aws_secret_access_key": "up"}


def own_session() -> boto3.Session:
    """Return a boto3 session of the user's."""
    return boto3.Session(region_name="us-east-1", **KEYS)


def lane_of(url: str, session: boto3.Session | None = None) -> str:
    """Return which lane a receive takes, whatever becomes of it."""
    ours = Session(Connection(endpoint_url=url, timeout_s=1.0), boto3_session=session or own_session())
    try:
        ours.sqs_call(*RECEIVE)
    except OpstoolError:
        assert ours.lane
    return ours.lane


@pytest.mark.parametrize(
    "event",
    ["before-send", "before-sign.sqs", "request-created.sqs.SendMessageBatch", "needs-retry.*", "after-call.sqs.*"],
)
def test_a_hook_of_the_users_is_called(event: str) -> None:
    """By boto3, which knows how; the rehearsal never meets it."""
    called: list[str] = []
    session = own_session()
    session.events.register(event, lambda event_name, **_: called.append(event_name))
    with Server(answer()) as server:
        ours = Session(Connection(endpoint_url=server.url), boto3_session=session)
        ours.sqs_call(*RECEIVE)
        ours.sqs_call(*SEND)
        assert ours.lane == f"boto3 (the boto3 session has a hook on {event.split('.', maxsplit=1)[0]})"
        assert called
        assert len(server.requests) == 2


def test_a_hook_on_something_else_is_in_nobodys_way() -> None:
    """Another service, or another operation."""
    session = own_session()
    for event in ("before-send.s3", "before-call.sqs.ListQueues"):
        session.events.register(event, lambda **_: None)
    with Server(answer()) as server:
        assert lane_of(server.url, session) == "lean lane"


def test_a_hook_is_known_by_what_it_calls() -> None:
    """A function of ours in a wrapper of theirs is theirs no more; a method of theirs is."""

    class Theirs:
        def hook(self, **_: Any) -> None:
            return None

        __call__ = hook

    for hook in (Theirs().hook, Theirs(), functools.partial(Theirs().hook, a=1)):
        session = own_session()
        session.events.register("before-call.sqs", hook)
        assert lane_of("http://127.0.0.1:9", session).startswith("boto3 (the boto3 session has a hook")


def test_an_emitter_that_cannot_be_read_is_not_trusted() -> None:
    """As of some later botocore."""
    client = SimpleNamespace(meta=SimpleNamespace(events=object()))
    assert stranger(client, lanes.HOT) == "of a kind that is not known"


def _tracer(*_: Any) -> dict[str, Any]:
    return {}


def test_a_tracer_in_botocores_place_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Ray's and OpenTelemetry's replace the method that every call goes through."""
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", _tracer)
    assert lane_of("http://127.0.0.1:9") == "boto3 (something has replaced botocore's own methods)"


def test_adaptive_retries_are_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep a rate over all calls."""
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert lane_of("http://127.0.0.1:9") == "boto3 (the retry mode is adaptive)"


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("http://user:hidden@127.0.0.1:9", "a proxy needs authentication"),
        ("https://127.0.0.1:9", "a proxy speaks https"),
        ("http://127.0.0.1:port", "a proxy's address cannot be read"),
        ("http://127.0.0.1:99999", "a proxy's address cannot be read"),
    ],
)
def test_a_proxy_that_is_not_plain_is_boto3s(monkeypatch: pytest.MonkeyPatch, proxy: str, why: str) -> None:
    """And its password is told to nobody."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("NO_PROXY", "")
    assert lane_of("http://sqs.example.test") == f"boto3 ({why})"


def test_proxy_settings_are_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle or a certificate for the proxy alone."""
    session = own_session()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    session._session.set_default_client_config(Config(proxies_config={"proxy_use_forwarding_for_https": True}))
    assert lane_of("http://sqs.example.test", session) == "boto3 (a proxy has settings of its own)"


def test_a_client_certificate_is_boto3s() -> None:
    """The lane has none."""
    session = own_session()
    session._session.set_default_client_config(Config(client_cert="/nowhere.pem"))
    assert lane_of("http://127.0.0.1:9", session) == "boto3 (a client certificate is set)"


def test_a_bundle_that_cannot_be_read_is_boto3s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which says what it says of it."""
    (tmp_path / "bundle.pem").write_text("nothing")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    assert lane_of("https://127.0.0.1:9") == "boto3 (the CA bundle cannot be read)"


@pytest.mark.parametrize("version", ["v4a", "bearer"])
def test_another_signature_is_boto3s(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Version 4 is signed here."""
    from botocore import auth  # noqa: PLC0415 - to replace a part of it

    class Other(auth.SigV4Auth):
        def add_auth(self, request: Any) -> None:
            request.headers["Authorization"] = f"{version} of somebody"

    monkeypatch.setitem(auth.AUTH_TYPE_MAPS, "v4", Other)
    assert lane_of("http://127.0.0.1:9") == "boto3 (requests are not signed with Signature Version 4)"


def test_a_signature_of_another_kind_with_the_same_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rehearsal compares to the byte."""
    from botocore import auth  # noqa: PLC0415 - to replace a part of it

    monkeypatch.setattr(auth.SigV4Auth, "signature", lambda *_: "0" * 64)
    assert lane_of("http://127.0.0.1:9") == "boto3 (botocore signs in another way)"


def test_a_header_that_botocore_adds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Lambda it passes on the trace of each invocation, which is not the same twice."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3")
    assert lane_of("http://127.0.0.1:9") == "boto3 (requests carry the header x-amzn-trace-id)"


def test_a_plain_proxy_is_asked_by_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole URL, and the host that is meant; what NO_PROXY names is asked itself."""
    with Server(answer()) as proxy, Server(answer()) as straight:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert lane_of("http://sqs.example.test:81/a") == "lean lane"
        assert lane_of(straight.url) == "lean lane"
        assert proxy.requests[0].startswith(
            b"POST http://sqs.example.test:81/a HTTP/1.1\r\nHost: sqs.example.test:81\r\n"
        )
        assert straight.requests[0].startswith(b"POST / HTTP/1.1\r\n")


def test_a_proxy_that_opens_no_tunnel_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent to SQS, and nothing is uncertain."""
    with Server(answer(403)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        ours = Session(Connection(endpoint_url="https://sqs.example.test"), boto3_session=own_session())
        with pytest.raises(OpstoolError, match="403") as caught:
            ours.sqs_call(*SEND)
        assert (caught.value.code, getattr(caught.value, "outcome_unknown", None)) == ("no_connection", False)
        assert proxy.requests[0].startswith(b"CONNECT sqs.example.test:443 HTTP/1.1\r\n")


def test_an_isolated_connection_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint on this machine needs none."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:hidden@127.0.0.1:9")
    with Server(answer()) as server:
        connection = Connection(
            endpoint_url=server.url, region="r", access_key_id="a", secret_access_key="b", is_isolated=True
        )
        ours = Session(connection)
        ours.sqs_call(*SEND)
        assert ours.lane == "lean lane"


@pytest.mark.parametrize(("value", "lane"), [("boto3", "boto3 (OPSTOOL_SDK says so)"), ("lean", "lean lane")])
def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch, value: str, lane: str) -> None:
    """For those who doubt."""
    monkeypatch.setenv("OPSTOOL_SDK", value)
    with Server(answer()) as server:
        assert lane_of(server.url) == lane


def test_another_value_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    monkeypatch.setenv("OPSTOOL_SDK", "curl")
    with pytest.raises(UsageError, match="OPSTOOL_SDK"):
        connect()


def test_a_choice_that_failed_is_made_anew() -> None:
    """Without credentials there is nothing to rehearse; they may come."""
    ours = Session(Connection(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    for _ in range(2):
        with pytest.raises(AccessError) as caught:
            ours.sqs_call(*SEND)
        assert caught.value.code == "no_credentials"


FIPS, DUAL = {"AWS_USE_FIPS_ENDPOINT": "true"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}
INSIDE = "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"
ENDPOINTS: dict[str, tuple[dict[str, str], str, str]] = {
    "plain": ({}, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
    "FIPS": (FIPS, "us-east-1", "https://sqs-fips.us-east-1.amazonaws.com"),
    "dual stack": (DUAL, "eu-west-1", "https://sqs.eu-west-1.api.aws"),
    "FIPS and dual stack": (FIPS | DUAL, "us-east-2", "https://sqs-fips.us-east-2.api.aws"),
    "GovCloud": ({}, "us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com"),
    "GovCloud with FIPS": (FIPS, "us-gov-east-1", "https://sqs.us-gov-east-1.amazonaws.com"),
    "GovCloud with dual stack": (DUAL, "us-gov-west-1", "https://sqs.us-gov-west-1.api.aws"),
    "China": ({}, "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
    "China with dual stack": (DUAL, "cn-northwest-1", "https://sqs.cn-northwest-1.api.amazonwebservices.com.cn"),
    "Europe's own": ({}, "eusc-de-east-1", "https://sqs.eusc-de-east-1.amazonaws.eu"),
    "behind a wall": ({}, "us-iso-east-1", "https://sqs.us-iso-east-1.c2s.ic.gov"),
    "behind another": ({}, "us-isob-east-1", "https://sqs.us-isob-east-1.sc2s.sgov.gov"),
    "a region to come": ({}, "eu-west-9", "https://sqs.eu-west-9.amazonaws.com"),
    "a variable for SQS": (
        {"AWS_ENDPOINT_URL_SQS": "https://sqs.in.test:8443/base"},
        "r-1",
        "https://sqs.in.test:8443/base",
    ),
    "a variable for all": ({"AWS_ENDPOINT_URL": "http://localhost:4566"}, "eu-west-1", "http://localhost:4566"),
    "both variables": ({"AWS_ENDPOINT_URL_SQS": INSIDE, "AWS_ENDPOINT_URL": "http://no.test"}, "eu-west-1", INSIDE),
    "variables that are to be ignored": (
        {"AWS_ENDPOINT_URL_SQS": INSIDE, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        "eu-west-1",
        "https://sqs.eu-west-1.amazonaws.com",
    ),
    "a VPC endpoint": ({"AWS_ENDPOINT_URL_SQS": INSIDE}, "eu-west-1", INSIDE),
    "another region's endpoint": (
        {"AWS_ENDPOINT_URL_SQS": "https://sqs.us-east-1.amazonaws.com"},
        "eu-west-1",
        "https://sqs.us-east-1.amazonaws.com",
    ),
    "a session token": ({"AWS_SESSION_TOKEN": "token"}, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
    "IPv6": ({"AWS_ENDPOINT_URL": "http://[::1]:4566"}, "eu-west-1", "http://[::1]:4566"),
}


@pytest.mark.parametrize(("variables", "region", "url"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_the_lane_asks_where_botocore_would(
    variables: dict[str, str], region: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URL, host and region; the rehearsal itself compares every header and the signature of all four operations."""
    keys = {"AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "up"}
    for name, value in (keys | variables).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name=region)
    client = session.client("sqs")
    learned = rehearse(client, session.get_credentials())
    assert learned.url.rstrip("/") == client.meta.endpoint_url.rstrip("/") == url
    assert (learned.region, learned.service) == (region, "sqs")
    assert set(learned.forms) == set(SAMPLES) == lanes.HOT
    for operation, form in learned.forms.items():
        assert form.headers["X-Amz-Target"] == f"AmazonSQS.{operation}"


def test_an_endpoint_in_the_configuration_file_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a profile's services name it."""
    with Server(answer()) as server:
        config = tmp_path / "config"
        config.write_text(
            "[profile there]\nregion = us-east-1\naws_access_key_id = made\naws_secret_access_key = up\n"
            f"services = here\n[services here]\nsqs =\n  endpoint_url = {server.url}\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        ours = Session(Connection(profile="there"))
        ours.sqs_call(*SEND)
        assert (ours.lane, len(server.requests)) == ("lean lane", 1)


@pytest.mark.parametrize("token", ["a\r\nX-Injected: yes", "a\n", "\u20ac"])
def test_credentials_that_no_header_can_carry_are_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent; they are not quoted."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "up")
    with Server(answer()) as server:
        with pytest.raises(UsageError, match="no header may hold"):
            Session(Connection(endpoint_url=server.url, region="us-east-1")).sqs_call(*SEND)
        assert server.requests == []


def test_nothing_is_left_of_the_rehearsal() -> None:
    """The hook that catches the samples is gone."""
    with Server(answer()) as server:
        ours = session_at(server.url)
        ours.sqs_call(*RECEIVE)
        ours.client("sqs").receive_message(QueueUrl="q")
        assert len(server.requests) == 2


def test_a_toolkit_tells_the_lane_once_it_is_taken(tmp_path: Path) -> None:
    """For -v; the user's own session comes in by it."""
    with Server(answer()) as server:
        kit = connect(Connection(endpoint_url=server.url), state_dir=tmp_path, boto3_session=own_session())
        assert kit.lanes() == []
        kit.sqs.receive(Queue(url="q", arn="a"), visibility_timeout_s=1, wait_s=0)
        assert kit.lanes() == ["lean lane"]
