"""The reader of answers: every form that HTTP/1.1 allows, and nothing beside it."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from opstool.doors.lean import boundedsocket
from opstool.doors.lean import connection as module
from opstool.doors.lean.connection import Answer, AnswerLostError, Connection


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """Connect a connection to the test."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours), theirs


def asked(pair: tuple[Connection, socket.socket], *parts: bytes, ends: bool = False) -> Answer:
    """Return what is made of an answer that arrives in these parts."""
    connection, theirs = pair

    def write() -> None:
        theirs.recv(100)
        for part in parts:
            theirs.sendall(part)
        if ends:
            theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return connection.ask(b"request", 2.0)
    finally:
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "ends", "content", "reusable"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello", False, b"hello", True),
        (HEAD + b"content-LENGTH:5\r\n\r\nhello", False, b"hello", True),
        (HEAD + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello", False, b"hello", False),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", False, b"hello", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", False, b"hello", True),
        (HEAD + b"\r\nhello", True, b"hello", False),
        (HEAD + b"Content-Length: 0\r\n\r\n", False, b"", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", True),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello", False, b"hello", True),
        (b"HTTP/1.1 204 None\r\n\r\n", False, b"", True),
        (
            HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            False,
            b"hello",
            False,
        ),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            False,
            b"hello",
            False,
        ),
    ],
    ids=[
        "length",
        "any case",
        "close",
        "length twice",
        "chunked",
        "trailers",
        "to the end",
        "empty",
        "1.0",
        "1.0 kept",
        "no reason",
        "interim",
        "204",
        "chunked and a length",
        "1.0 chunked",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000], ids=["byte by byte", "in pieces", "at once"])
def test_an_answer_is_read_in_whatever_pieces_it_comes(
    pair: tuple[Connection, socket.socket], answer: bytes, *, ends: bool, content: bytes, reusable: bool, step: int
) -> None:
    """And the connection is kept where both sides agree on where it ended."""
    read = asked(pair, *(answer[at : at + step] for at in range(0, len(answer), step)), ends=ends)
    assert read.content == content
    assert pair[0].is_reusable is reusable


def test_more_than_was_said_is_not_the_next_answer(pair: tuple[Connection, socket.socket]) -> None:
    """The connection is given up."""
    assert asked(pair, HEAD + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 200").content == b"hello"
    assert not pair[0].is_reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        HEAD + b"Content-Length: 9\r\n\r\nhello",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1_0\r\n\r\nhellohello",
        HEAD + b"Content-Length: 999999999999\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
        HEAD + b"Content-Length: \r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\x00",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        HEAD + b"A: " + b"x" * module.MAX_HEAD_BYTES + b"\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * module.MAX_HEAD_BYTES * 2,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    ],
    ids=[
        "closed",
        "closed in the head",
        "cut",
        "negative",
        "underscore",
        "beyond the bound",
        "two lengths",
        "cut chunk",
        "chunk too long",
        "no chunk",
        "empty size",
        "a size with a base",
        "a negative size",
        "a size beyond the bound",
        "two encodings",
        "two headers of encodings",
        "a list of lengths",
        "an empty length",
        "another protocol",
        "encoding",
        "no header",
        "version",
        "status",
        "foreign",
        "long head",
        "long line",
        "interim for ever",
    ],
)
def test_what_is_no_whole_answer_is_a_lost_one(pair: tuple[Connection, socket.socket], answer: bytes) -> None:
    """Never a part that is taken for all of it."""
    with pytest.raises(AnswerLostError):
        asked(pair, answer, ends=True)
    assert not pair[0].is_reusable


def test_a_body_without_an_end_is_bounded(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is told in chunks or by the end of the connection."""
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 100)
    with pytest.raises(AnswerLostError):
        asked(pair, HEAD + b"\r\n" + b"x" * 101, ends=True)


def test_trailers_without_an_end_are_bounded(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is short."""
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 100)
    with pytest.raises(AnswerLostError):
        asked(pair, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 50)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        HEAD + b"A: ",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 99999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["status", "header", "to the end", "length", "chunk size"],
)
def test_a_server_that_says_a_byte_now_and_then_holds_nobody(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """Each of them is there in time, and the answer never is."""
    monkeypatch.setattr(boundedsocket, "PATIENCE", 0.1)
    connection, theirs = pair
    given_up = threading.Event()

    def drip() -> None:
        theirs.sendall(head)
        while not given_up.wait(0.02):
            theirs.sendall(b"1")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(AnswerLostError, match="TimeoutError"):
            connection.ask(b"request", 2.0)
    finally:
        given_up.set()
        thread.join()


def test_silence_is_a_lost_answer(pair: tuple[Connection, socket.socket]) -> None:
    """After the time that was given."""
    with pytest.raises(AnswerLostError):
        pair[0].ask(b"request", 0.01)


def test_a_connection_that_the_server_closed_is_seen_to_be_stale(pair: tuple[Connection, socket.socket]) -> None:
    """So is one on which the server spoke unasked."""
    assert not pair[0].is_stale()
    pair[1].sendall(b"x")
    assert pair[0].is_stale()


def test_a_signal_ends_no_wait(pair: tuple[Connection, socket.socket]) -> None:
    """Ctrl-C in the middle of a send is heard, and its answer is still waited for."""
    connection, theirs = pair
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))

    def answer() -> None:
        theirs.recv(100)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        while not heard:  # the handler runs where the wait was
            heard_soon.wait(0.001)
        theirs.sendall(HEAD + b"Content-Length: 5\r\n\r\nhello")

    heard_soon, thread = threading.Event(), threading.Thread(target=answer)
    thread.start()
    try:
        assert connection.ask(b"request", 5.0).content == b"hello"
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


def test_a_request_larger_than_the_kernel_takes_at_once_goes_out_whole(
    pair: tuple[Connection, socket.socket],
) -> None:
    """A batch may have a megabyte."""
    connection, theirs = pair
    request, read = b"0123456789" * 500_000, bytearray()

    def answer() -> None:
        while len(read) < len(request):
            read.extend(theirs.recv(1_000_000))
        theirs.sendall(HEAD + b"Content-Length: 5\r\n\r\nhello")

    thread = threading.Thread(target=answer)
    thread.start()
    assert connection.ask(request, 5.0).content == b"hello"
    thread.join()
    assert bytes(read) == request


def test_a_server_that_reads_nothing_is_waited_for_no_longer_than_was_said(
    pair: tuple[Connection, socket.socket],
) -> None:
    """Also where the request is what it does not take."""
    with pytest.raises(AnswerLostError, match="TimeoutError"):
        pair[0].ask(b"x" * 50_000_000, 0.05)


@pytest.mark.parametrize("kernel", [True, False], ids=["the kernel waits", "Python waits"])
def test_each_way_of_waiting_knows_silence_and_answers(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch, *, kernel: bool
) -> None:
    """The one is for Linux and macOS, the other for every machine."""
    monkeypatch.setattr(boundedsocket, "_KERNEL_WAITS", kernel)
    assert asked(pair, HEAD + b"Content-Length: 5\r\n\r\nhello").content == b"hello"
    with pytest.raises(AnswerLostError, match="TimeoutError"):
        pair[0].ask(b"request", 0.01)


def test_the_end_of_a_connection_just_used_is_seen_without_a_poll() -> None:
    """As the kernel tells it of TCP; a poll would let go of the interpreter, and has to wait for it again."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        connection = Connection(ours)
        thread = threading.Thread(
            target=lambda: (theirs.recv(100), theirs.sendall(HEAD + b"Content-Length: 0\r\n\r\n"))
        )
        thread.start()
        connection.ask(b"request", 5.0)
        thread.join()
        assert not connection.is_stale()
        theirs.close()
        assert select.select([ours], [], [], 5.0)[0]  # what tells the end is there by now
        assert connection.is_stale()
