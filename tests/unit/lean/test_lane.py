"""The lane over a loopback server: connections, repetitions, clocks and credentials."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials

from opstool.doors.lean.connection import NotConnectedError
from opstool.doors.lean.lane import LaneSettings, LeanLane
from opstool.doors.lean.pool import Pool
from opstool.doors.lean.route import Route
from opstool.doors.lean.signing import Form, Signing
from opstool.doors.session import our_errors
from opstool.fake.clock import FakeClock
from opstool.words.errors import AccessError, OpstoolError, ServiceError, UsageError
from tests.unit.lean.server import DELETE, RECEIVE, SEND, URL, Server, answer, refusal, session_at

AT_SEVEN = "Fri, 15 Jan 2027 08:00:07 GMT"
"""Seven seconds after the moment at which a FakeClock stands."""


class Provider:
    """Credentials that count how often they are asked for, and may be others the next time."""

    def __init__(self) -> None:
        self.asked = 0
        self.token = "one"

    def get_frozen_credentials(self) -> Any:
        """Return them as botocore does."""
        self.asked += 1
        return SimpleNamespace(access_key="key", secret_key="hidden", token=self.token)


class World:
    """A lane to a server, with a clock of the test's own."""

    def __init__(self, server: Server, *, attempts: int = 3, timeout_s: float = 1.0) -> None:
        self.clock = FakeClock()
        self.pauses: list[float] = []
        self.provider = Provider()
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        form = Form(url=server.url + "/", headers=headers, signed=frozenset({"host", "x-amz-date"}))
        signing = Signing({each[0]: form for each in (SEND, RECEIVE, DELETE)}, region="r", service="sqs")
        settings = LaneSettings(provider=self.provider, errors=our_errors, timeout_s=timeout_s, attempts=attempts)
        route = Route(url=server.url, timeout_s=1.0)
        sleep = self.clock.sleep

        def pause(seconds: float, stop: Any = None) -> None:
            self.pauses.append(seconds)
            sleep(seconds, stop)

        self.clock.sleep = pause  # type: ignore[method-assign]
        self.lane = LeanLane(settings, signing, Pool(route.open, self.clock), self.clock, chance=lambda: 1.0)

    def error(self, asked: tuple[str, dict[str, Any]]) -> OpstoolError:
        """Return the error of a request that has to fail."""
        with pytest.raises(OpstoolError) as caught:
            self.lane(*asked)
        assert "hidden" not in repr(caught.value)
        assert "secret" not in repr(caught.value)
        return caught.value


def test_the_session_takes_the_lane() -> None:
    """And asks what it is given, over one connection."""
    with Server(answer(200, b'{"Messages": [{"MessageId": "m"}]}')) as server:
        session = session_at(server.url)
        assert session.lane == ""
        assert session.sqs_call(*RECEIVE) == {"Messages": [{"MessageId": "m"}]}
        session.sqs_call(*SEND)
        assert session.lane == "lean lane"
        assert server.connections == 1
        assert json.loads(server.requests[1].partition(b"\r\n\r\n")[2]) == SEND[1]


def test_binary_attributes_are_bytes_here_and_base64_there() -> None:
    """In both directions; a lone surrogate survives as well."""
    value = {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    told = {"Messages": [{"Body": "\ud800", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "AP8="}}}]}
    with Server(answer(200, json.dumps(told).encode())) as server:
        lane = World(server).lane
        lane(
            "SendMessageBatch",
            {"QueueUrl": URL, "Entries": [{"Id": "0", "MessageBody": "\ud800", "MessageAttributes": value}]},
        )
        (message,) = lane(*RECEIVE)["Messages"]
    (entry,) = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["Entries"]
    assert (entry["MessageBody"], entry["MessageAttributes"]["a"]["BinaryValue"]) == ("\ud800", "AP8=")
    assert (message["Body"], message["MessageAttributes"]) == ("\ud800", value)


def test_a_null_is_left_out_as_boto3_does() -> None:
    """Some emulators write one for what they have not."""
    told = b'{"Messages": [{"MessageId": "m", "Body": "null", "MessageAttributes": null}], "Failed": null}'
    with Server(answer(200, told)) as server:
        assert World(server).lane(*RECEIVE) == {"Messages": [{"MessageId": "m", "Body": "null"}]}


def test_a_connection_closed_while_idle_is_replaced_before_a_byte_is_sent() -> None:
    """So that a send is not lost on it."""
    with Server(answer()) as server:
        lane = World(server).lane
        lane(*SEND)
        server.hang_up()
        lane(*SEND)
        assert (server.connections, len(server.requests)) == (2, 2)


def test_a_connection_that_was_idle_for_long_is_not_trusted() -> None:
    """A router on the way may have forgotten it without a word."""
    with Server(answer()) as server:
        world = World(server)
        world.lane(*SEND)
        world.clock.sleep(61)
        world.lane(*SEND)
        assert server.connections == 2


@pytest.mark.parametrize("asked", [SEND, RECEIVE], ids=["send", "receive"])
@pytest.mark.parametrize("said", [None, answer(500), answer(503), refusal("RequestThrottled")])
def test_what_could_be_done_twice_is_asked_once(asked: tuple[str, dict[str, Any]], said: bytes | None) -> None:
    """Only the engine repeats, after journaling."""
    with Server(lambda _: said) as server:
        error = World(server).error(asked)
        assert len(server.requests) == 1
    assert isinstance(error, ServiceError)
    assert error.retryable
    assert error.outcome_unknown is (error.code != "throttled")


def test_a_send_lost_on_a_kept_connection_is_not_sent_again() -> None:
    """The server had read it, and hung up instead of answering."""
    with Server(lambda number: answer() if number == 0 else None) as server:
        world = World(server)
        world.lane(*SEND)
        error = world.error(SEND)
        assert isinstance(error, ServiceError)
        assert (error.code, error.outcome_unknown, len(server.requests)) == ("no_answer", True, 2)


@pytest.mark.parametrize(
    ("said", "pauses"),
    [
        ([answer(500), answer(503)], [0.05, 0.1]),
        ([None, None], [0.05, 0.1]),
        ([refusal("RequestThrottled", status=403)] * 2, [1.0, 2.0]),
        ([answer(503, b"{}", "Retry-After: 7"), answer(503)], [7.0, 0.1]),
        ([answer(503, b"{}", "x-amz-retry-after: 1500"), answer(503, b"{}", "Retry-After: 900")], [1.5, 20.0]),
        ([answer(503, b"{}", f"Retry-After: {AT_SEVEN}"), answer(503)], [7.0, 0.1]),
        ([answer(503, b"{}", f"Retry-After: {AT_SEVEN}".replace("2027", "2028")), answer(503)], [20.0, 0.1]),
        ([answer(503, b"{}", f"Retry-After: {AT_SEVEN}".replace("2027", "2015")), answer(503)], [0.05, 0.1]),
        ([answer(503, b"{}", "Retry-After: soon"), answer(503, b"{}", "Retry-After: -5")], [0.05, 0.1]),
        (
            [answer(503, b"{}", "Retry-After: Wed, 99999999999999999999 Oct 2027 07:28:00 GMT"), answer(503)],
            [0.05, 0.1],
        ),
    ],
    ids=[
        "5xx",
        "no answer",
        "throttled",
        "seconds",
        "milliseconds, and too long",
        "a date",
        "a date that is too far",
        "a date that is over",
        "what is neither",
        "a date that is none",
    ],
)
def test_a_delete_is_repeated_after_a_pause(said: list[bytes | None], pauses: list[float]) -> None:
    """With full jitter, whose chance is 1 here, and no earlier than the service asks for."""
    with Server(lambda number: [*said, answer()][number]) as server:
        world = World(server)
        world.lane(*DELETE)
    assert world.pauses == pauses
    assert [b"attempt=%d; max=3" % number in each for number, each in enumerate(server.requests, 1)] == [True] * 3


def test_a_delete_is_repeated_as_often_as_botocore_would() -> None:
    """And what says no for good is not repeated."""
    with Server(answer(500)) as server:
        World(server, attempts=4).error(DELETE)
        assert len(server.requests) == 4
    with Server(refusal("InvalidParameterValue")) as server:
        World(server).error(DELETE)
        assert len(server.requests) == 1


def _signed(server: Server, number: int) -> str:
    found = re.search(rb"X-Amz-Date: (\w+)", server.requests[number])
    assert found
    return found[1].decode()


@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed", "SignatureDoesNotMatch"])
def test_a_wrong_clock_is_corrected_by_the_services_date(code: str) -> None:
    """Even for a send: what was refused was not accepted. The correction is remembered."""
    date = "Date: Wed, 21 Oct 2015 07:28:00 GMT"
    with Server(lambda number: refusal(code, date, status=403) if number == 0 else answer()) as server:
        world = World(server)
        world.lane(*SEND)
        world.lane(*SEND)
        assert [_signed(server, number) for number in (1, 2)] == ["20151021T072800Z"] * 2
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Date: today"],
        ["Date: Wed, 99999999999999999999 Oct 2015 07:28:00 GMT"],
        ["Date: {now}"],
        ["Date: Wed, 21 Oct 2015 07:28:00 GMT"],
    ],
    ids=["no date", "no date either", "a number that is too long", "our own time", "another each time"],
)
def test_a_signature_that_time_does_not_explain_is_an_error(headers: list[str]) -> None:
    """Asked at most twice."""
    with Server(b"") as server:
        world = World(server)
        now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(world.clock.wall()))
        said = refusal("SignatureDoesNotMatch", *(each.format(now=now) for each in headers), status=403)
        server.says(said)
        error = world.error(SEND)
        assert (type(error), error.code) == (AccessError, "credentials_invalid")
        assert len(server.requests) == (2 if "21 Oct" in str(headers) else 1)


def test_every_thread_that_is_refused_for_the_same_clock_is_signed_again() -> None:
    """Though another has learned the service's time by then."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - here alone

    together = threading.Barrier(2)
    refused = refusal("RequestTimeTooSkewed", "Date: Wed, 21 Oct 2015 07:28:00 GMT", status=403)

    class Meeting(Server):
        def says_to(self, request: bytes, number: int) -> bytes:
            if b"X-Amz-Date: 2015" in request:
                return answer()
            together.wait(10)
            return refused

    with Meeting(b"") as server, ThreadPoolExecutor(2) as threads:
        lane = World(server).lane
        assert list(threads.map(lambda _: lane(*SEND), range(2))) == [{}, {}]
        assert len(server.requests) == 4


def test_a_refusal_that_may_have_been_carried_out_is_not_signed_again() -> None:
    """Whatever its code says of the time: the outcome of a 5xx is unknown."""
    with Server(refusal("RequestTimeTooSkewed", "Date: Wed, 21 Oct 2015 07:28:00 GMT", status=500)) as server:
        error = World(server).error(SEND)
        assert isinstance(error, ServiceError)
        assert error.outcome_unknown
        assert len(server.requests) == 1


def test_a_clock_that_was_put_right_is_believed_again() -> None:
    """The correction of yesterday is refused today, and made anew: over midnight as well."""
    with Server(b"") as server:
        world = World(server)
        for hours in (-30, 30, 0):
            date = time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime(world.clock.wall() + 3600 * hours))
            wanted = time.strftime(
                "X-Amz-Date: %Y%m%dT%H%M%SZ", time.gmtime(world.clock.wall() + 3600 * hours)
            ).encode()
            server.says_to = lambda request, _, date=date, wanted=wanted: (  # type: ignore[assignment,misc,method-assign]
                answer() if wanted in request else refusal("RequestTimeTooSkewed", date, status=403)
            )
            world.lane(*SEND)
            day = wanted.split()[1][:8]
            assert b"Credential=key/%s/r/sqs/" % day in server.requests[-1]
        assert len(server.requests) == 6


def test_credentials_are_asked_for_once_a_second_and_taken_anew() -> None:
    """Botocore refreshes them; a token that it has changed signs the next request."""
    with Server(answer()) as server:
        world = World(server)
        world.lane(*SEND)
        world.lane(*SEND)
        assert world.provider.asked == 1
        world.provider.token = "two"
        world.clock.sleep(1.5)
        world.lane(*SEND)
        assert world.provider.asked == 2
        assert [b"X-Amz-Security-Token: two" in each for each in server.requests] == [False, False, True]


@pytest.mark.parametrize("token", ["two\r\nX-Injected: yes", "two\n", "\u20ac", "\x00"])
def test_credentials_that_no_header_can_carry_sign_nothing(token: str) -> None:
    """A line's end in them would be the next header. They are not quoted."""
    with Server(answer()) as server:
        world = World(server)
        world.lane(*SEND)
        world.provider.token = token
        world.clock.sleep(1.5)
        error = world.error(SEND)
        assert (type(error), error.code) == (UsageError, "invalid_setting")
        assert "two" not in error.message
        assert len(server.requests) == 1


def _refreshed(world: World, refresh: Callable[[], dict[str, str]]) -> RefreshableCredentials:
    """Return credentials of botocore's that are good for an hour of the world's time."""
    now = lambda: datetime.fromtimestamp(world.clock.wall(), UTC)  # noqa: E731 - a clock
    return RefreshableCredentials("key", "hidden", "one", now() + timedelta(hours=1), refresh, "test", now)


def test_what_botocore_refreshes_in_the_middle_of_a_run_signs_from_then_on() -> None:
    """Before the old ones expire."""
    with Server(answer()) as server:
        world = World(server)

        def refresh() -> dict[str, str]:
            expiry = datetime.fromtimestamp(world.clock.wall() + 3600, UTC).isoformat()
            return {"access_key": "key2", "secret_key": "hidden", "token": "two", "expiry_time": expiry}

        world.lane._settings = replace(world.lane._settings, provider=_refreshed(world, refresh))
        for _ in range(2):
            world.lane(*SEND)
            world.clock.sleep(3595)
        assert [b"Credential=key2/" in each for each in server.requests] == [False, True]
        assert [b"X-Amz-Security-Token: two" in each for each in server.requests] == [False, True]


def test_credentials_that_cannot_be_refreshed_are_an_error_of_access() -> None:
    """And nothing is signed with those that have expired."""
    from botocore.exceptions import CredentialRetrievalError  # noqa: PLC0415 - here alone

    def refresh() -> dict[str, str]:
        raise CredentialRetrievalError(provider="test", error_msg="gone")

    with Server(answer()) as server:
        world = World(server)
        world.lane._settings = replace(world.lane._settings, provider=_refreshed(world, refresh))
        world.lane(*SEND)
        world.clock.sleep(3595)
        error = world.error(SEND)
        assert (type(error), error.code) == (AccessError, "no_credentials")
        assert len(server.requests) == 1


@pytest.mark.parametrize("asked", [SEND, RECEIVE, DELETE], ids=lambda asked: asked[0])
def test_a_connection_that_is_closed_between_the_look_and_the_write_is_an_unknown_outcome(
    asked: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes have left: a send is not repeated by the lane, and whoever asked can count it; a delete is repeated."""
    with Server(answer()) as server:
        world = World(server)
        world.lane(*asked)
        server.hang_up()
        with monkeypatch.context() as patch:
            patch.setattr("opstool.doors.lean.connection.Connection.is_stale", lambda _: False)
            if asked is DELETE:
                world.lane(*asked)
            else:
                error = world.error(asked)
                assert isinstance(error, ServiceError)
                assert (error.code, error.outcome_unknown, error.retryable) == ("no_answer", True, True)
                assert (len(server.requests), server.connections) == (1, 1)
        world.lane(*asked)
        assert (len(server.requests), server.connections) == (3 if asked is DELETE else 2, 2)


@pytest.mark.parametrize(
    "said",
    [
        answer() + answer(200, b'{"Messages": [{"MessageId": "stray"}]}'),
        answer().replace(b"Length: 2", b"Length: 1"),
        answer(200, b"{}", "Transfer-Encoding: chunked"),
        answer(500),
        refusal("RequestThrottled"),
    ],
    ids=["two answers", "longer than it said", "two framings", "5xx", "refused"],
)
def test_what_came_with_one_answer_is_not_the_next_ones(said: bytes) -> None:
    """Whatever else stands on the connection."""
    with Server(lambda number: answer(200, b'{"Messages": [{"MessageId": "mine"}]}') if number else said) as server:
        world = World(server)
        with suppress(OpstoolError):
            world.lane(*RECEIVE)
        assert world.lane(*RECEIVE) == {"Messages": [{"MessageId": "mine"}]}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing to share")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_fork_leaves_the_connections_to_its_parent() -> None:
    """Two processes on one would read each other's answers."""
    with Server(answer()) as server:
        lane = World(server).lane
        lane(*SEND)
        child = os.fork()
        if not child:
            os._exit(len(lane._pool._idle))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        lane(*SEND)
        assert (len(server.requests), server.connections) == (2, 1)


def test_an_endpoint_may_be_an_address_of_version_6() -> None:
    """It stands in brackets where a port follows."""
    try:
        server = Server(answer(), host="::1")
    except OSError:
        pytest.skip("this machine has no such address")
    with server:
        session = session_at(server.url)
        session.sqs_call(*SEND)
        assert session.lane == "lean lane"
        assert b"\r\nHost: %s\r\n" % server.url.removeprefix("http://").encode() in server.requests[0]


def test_a_closed_port_is_no_connection_and_no_outcome_is_unknown() -> None:
    """Nothing left this machine; it is tried as often as a delete may be."""
    with Server(b"") as server:
        world = World(server)
    for asked, pauses in ((SEND, []), (DELETE, [0.05, 0.1])):
        error = world.error(asked)
        assert isinstance(error, ServiceError)
        assert (error.code, error.retryable, error.outcome_unknown) == ("no_connection", True, False)
        assert world.pauses == pauses


def test_a_long_poll_may_take_its_time() -> None:
    """The time-out counts from when the wait should be over."""
    with Server(lambda _: time.sleep(0.2) or answer()) as server:
        world = World(server, timeout_s=0.05)
        world.lane("ReceiveMessage", {"QueueUrl": URL, "WaitTimeSeconds": 1})
        error = world.error(RECEIVE)
        assert error.code == "no_answer"


def test_an_interrupted_request_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer would be taken for the next one's."""
    with Server(answer()) as server:
        lane = World(server).lane
        lane(*SEND)
        monkeypatch.setattr("opstool.doors.lean.lane.Signing.head", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            lane(*SEND)
        monkeypatch.undo()
        lane(*SEND)
        assert server.connections == 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_many_threads_share_the_lane() -> None:
    """Each with a connection of its own, and its own answer."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - here alone

    def echo(number: int) -> bytes:
        return answer(200, json.dumps({"Messages": [{"MessageId": str(number)}]}).encode())

    with Server(echo) as server, ThreadPoolExecutor(16) as threads:
        lane = World(server).lane
        found = [each["Messages"][0]["MessageId"] for each in threads.map(lambda _: lane(*RECEIVE), range(400))]
    assert sorted(map(int, found)) == list(range(400))
    assert server.connections <= 16


def test_a_route_says_why_it_leads_nowhere() -> None:
    """In the system's words."""
    with Server(b"") as server:
        url = server.url
    with pytest.raises(NotConnectedError, match="Connection refused"):
        Route(url=url, timeout_s=1.0).open()
