from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.archive import read_archive
from opstool.words.errors import UsageError
from tests.cli.world import World
from tests.hostile.corpus import MEBIBYTE, PRIVATE
from tests.hostile.harmless import assert_harmless, documents

DLQ = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"
GOOD = {"version": 1, "type": "message", "message_id": "m", "body": PRIVATE, "queue": DLQ}
DEADLINE_S = 10.0
"""Processor time to refuse whatever is no archive."""
MEMORY_BYTES = 200_000_000
"""Python's memory meanwhile: a line of 8 MiB, as bytes, as text and as what JSON makes of it."""


def line(**changes: Any) -> bytes:
    """Return a good line with some keys changed."""
    return json.dumps({**GOOD, **changes}).encode() + b"\n"


def attributes(count: int, **changes: Any) -> dict[str, Any]:
    """Return so many attributes, one of them changed."""
    return {f"a{number}": {"type": "String", "value": "x", **changes} for number in range(count)}


BAD_LINES = {
    "eleven attributes": (line(attributes=attributes(11)), "11 attributes, more than 10"),
    "a body over a mebibyte": (line(body="x" * (MEBIBYTE + 1)), "1048577 bytes, more than 1048576"),
    "attributes over a mebibyte": (line(attributes=attributes(1, value="x" * MEBIBYTE)), "more than 1048576"),
    "an empty body": (line(body=""), "the body is empty"),
    "a body that is no text": (line(body={"a": 1}), "`body` is not a string"),
    "no body": (b'{"message_id": "m"}\n', "`body` is missing"),
    "a body that SQS refuses": (line(body="\x00"), "U+0000"),
    "a lone surrogate": (line(body="\ud800"), "U+D800"),
    "a reserved attribute": (line(attributes={"AWS.x": {"type": "String", "value": "x"}}), "is not a name SQS admits"),
    "an attribute name of surrogates": (line(attributes={"\ud800": {"type": "String", "value": "x"}}), "is not a name"),
    "an attribute name of escapes": (line(attributes={"\x1b[2J": {"type": "String", "value": "x"}}), "is not a name"),
    "an attribute type of surrogates": (line(attributes=attributes(1, type="String.\udfff")), "is not a type"),
    "an attribute without a type": (line(attributes={"a": {"value": "x"}}), "has no `type`"),
    "an empty attribute": (line(attributes=attributes(1, value="")), "is empty"),
    "base64 that is none": (line(attributes={"a": {"type": "Binary", "value_base64": "?"}}), "is not base64"),
    "attributes that are a list": (line(attributes=[1]), "`attributes` is not an object"),
    "a queue above its place": (line(queue="arn:aws:sqs:us-east-1:1:../../etc/passwd"), "is not the ARN"),
    "a queue that is a path": (line(queue="/etc/passwd"), "is not the ARN"),
    "a queue of another service": (line(queue="arn:aws:s3:::bucket"), "is not the ARN"),
    "a queue that is an object": (line(queue={"__proto__": 1}), "is not the ARN"),
    "an id of escapes": (line(message_id="\x1b[2J"), "`message_id` is not an id"),
    "an id of 101 characters": (line(message_id="x" * 101), "`message_id` is not an id"),
    "an archive id of line ends": (line(archive="a\nb"), "`archive` is not an id"),
    "a count of half a message": (line(receive_count=0.5), "`receive_count` is not a whole number"),
    "a count that is true": (line(receive_count=True), "`receive_count` is not a whole number"),
    "a time that is none": (line(sent_at="yesterday"), "`sent_at` is not an ISO 8601 time"),
    "a newer version": (line(version=2), "version is not 1"),
    "another document": (line(type="queue"), "`message`"),
    "NaN": (b'{"body": "x", "receive_count": NaN}\n', "a number that JSON does not have"),
    "five thousand digits": (b'{"body": "x", "receive_count": ' + b"9" * 5_000 + b"}\n", "thousands of digits"),
    "a hundred thousand levels": (b'{"body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
    "no UTF-8": (b'{"body": "\xff"}\n', "not UTF-8"),
    "UTF-16": ('{"body": "x"}\n'.encode("utf-16"), "not UTF-8"),
    "half a line": (line()[:-9] + b"\n", "not JSON"),
    "two documents on a line": (line()[:-1] + line(), "not JSON"),
    "an array of messages": (json.dumps([GOOD]).encode() + b"\n", "not a JSON object"),
    "what sqsmover and others write": (b'{"MessageId": "m", "Body": "x", "MD5OfBody": "x"}\n', "`body` is missing"),
    "a spreadsheet": (b"message_id,body\nm,=cmd|'/c calc'!A1\n", "not JSON"),
}


@pytest.mark.parametrize(("bad", "problem"), BAD_LINES.values(), ids=list(BAD_LINES))
def test_a_bad_line_is_named_and_nothing_is_half_imported(
    world: World, tmp_path: Path, bad: bytes, problem: str
) -> None:
    """The number of the line and what is wrong with it, not what it holds; the good lines around it are not sent."""
    good = line(message_id="first"), line(message_id="last")
    file = tmp_path / "archive.jsonl"
    for content in (good[0] + bad + good[1], gzip.compress(good[0] + bad + good[1])):
        file.write_bytes(content)
        for form in ([], ["--output", "json"]):
            ended = world.run(*form, "dlq", "import", str(file), "--yes")
            assert ended.status == 2
            assert_harmless(ended)
            assert "line 2: " in ended.out + ended.err
            assert problem in (documents(ended, "json")[0]["message"] if form else ended.err)
            assert PRIVATE not in ended.out + ended.err
    assert world.sqs.requests["SendMessageBatch"] == world.sqs.requests["SendMessage"] == 0
    assert world.depth(world.dlq) == 0


ACCEPTED = {
    "CRLF": line().replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + line(),
    "no line end at its end": line()[:-1],
    "blank lines": b"\n\n \r\n" + line() + b"\n\n",
    "only a body": b'{"body": "pr1v8"}\n',
    "keys of other languages": line(__proto__={"body": "x"}, constructor=1),
    "a key twice, of which the last counts": b'{"body": "x", "body": "pr1v8"}\n',
    "an id of another form": line(message_id="42"),
    "the report after a list": line() + b'{"version": 1, "type": "report"}\n',
    "escaped slashes and letters": line().replace(b"pr1v8", b"\\u0070r1v8"),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=list(ACCEPTED))
def test_what_other_tools_and_editors_do_to_a_file_is_no_harm(world: World, tmp_path: Path, content: bytes) -> None:
    """One message, with its body as it was, whatever is around it; in several gzip members, too."""
    half = len(content) // 2
    contents = (content, gzip.compress(content), gzip.compress(content[:half]) + gzip.compress(content[half:]))
    for number, each in enumerate(contents):
        file = tmp_path / f"{number}"
        file.write_bytes(each)
        assert world.run("dlq", "import", str(file), "--to", "orders-dlq", "--yes", "--again").status == 0
    assert world.bodies(world.dlq) == [PRIVATE] * 3


class Endless(io.RawIOBase):
    """A device without an end."""

    def __init__(self, chunk: bytes) -> None:
        super().__init__()
        self.chunk = chunk
        self.content_bytes = len(gzip.decompress(chunk)) if chunk.startswith(b"\x1f\x8b") else len(chunk)
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """Give one more chunk."""
        self.given += self.content_bytes
        assert self.given < 128 * MEBIBYTE, "this is read for ever"
        return self.chunk[:size]


ENDLESS = {
    "zeros": b"\0" * 65_536,
    "line ends": b"\n" * 65_536,
    "blanks": b" " * 65_536,
    "lines of noise": b"\xff" * 255 + b"\n",
    "reports": b'{"type": "report"}\n' * 3_000,
    "brackets": b"[" * 65_536,
    "gzip of zeros": gzip.compress(b"\0" * (16 * MEBIBYTE)),
    "gzip of line ends": gzip.compress(b"\n" * (16 * MEBIBYTE)),
}


@pytest.mark.parametrize("chunk", ENDLESS.values(), ids=list(ENDLESS))
def test_a_device_and_a_bomb_are_not_read_for_ever(chunk: bytes) -> None:
    """What is no archive is refused after a bounded part of it."""
    began = time.process_time()
    with pytest.raises(UsageError, match=r"line [0-9]+: "):
        list(read_archive(Endless(chunk)))  # type: ignore[arg-type] # it can be read, and no more is asked of it
    assert time.process_time() - began < DEADLINE_S


@pytest.mark.parametrize("name", ["zeros", "lines of noise", "gzip of zeros"])
def test_a_device_and_a_bomb_do_not_fill_the_memory(name: str) -> None:
    """Memory holds a line at a time, and of the problems the first."""
    tracemalloc.start()
    with pytest.raises(UsageError):
        list(read_archive(Endless(ENDLESS[name])))  # type: ignore[arg-type] # it can be read, and no more is asked of it
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY_BYTES


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_dev_zero_is_no_archive(world: World) -> None:
    """By its name, by a link to it, and as standard input."""
    for argv in (["/dev/zero"], [str(link_to("/dev/zero"))], ["-"]):
        ended = world.run("dlq", "import", *argv, "--yes", stdin="\0" * 9_000_000 if argv == ["-"] else "")
        assert ended.status == 2
        assert "line 1: longer than 8388608 bytes" in ended.err


def link_to(target: str) -> Path:
    """Return a symbolic link in this folder."""
    link = Path("link.jsonl")
    link.symlink_to(target)
    return link


def test_a_link_is_read_where_it_points_and_a_folder_is_refused(world: World, tmp_path: Path) -> None:
    """Whoever names a link means its target; a loop of links, a folder and a socket end in words."""
    (tmp_path / "real.jsonl").write_bytes(line())
    link_to("real.jsonl")
    assert world.run("dlq", "import", "link.jsonl", "--yes").status == 0
    Path("loop").symlink_to("loop")
    for name, status in (("loop", 1), (str(tmp_path), 2), ("link.jsonl/x", 1), ("", 2)):
        ended = world.run("dlq", "import", name, "--yes")
        assert (ended.status, "please report" in ended.err) == (status, False), ended.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_once(world: World, tmp_path: Path) -> None:
    """Its lines are checked while they come, and sent only after the last."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(line() + line(message_id="n", body="other"),))
    writer.start()
    assert world.run("dlq", "import", str(pipe), "--yes").status == 0
    writer.join()
    assert world.bodies(world.dlq) == ["other", PRIVATE]


def test_gzip_that_is_cut_or_spoiled_is_refused_whole(world: World, tmp_path: Path) -> None:
    """Cut anywhere, or with any byte changed, nothing is sent unless everything can be read."""
    whole = gzip.compress(line() * 3, mtime=0)
    file = tmp_path / "archive.jsonl.gz"
    for end in range(2, len(whole)):
        file.write_bytes(whole[:end])
        with pytest.raises(UsageError, match=r"line [1-4]: "):
            list(read_archive(file))
    file.write_bytes(whole + b"garbage")
    assert world.run("dlq", "import", str(file), "--yes").status == 2
    assert world.sqs.requests["SendMessageBatch"] == 0


def test_lines_of_a_hundred_megabytes_cost_no_more_than_their_beginning() -> None:
    """Where no line may be longer than eight mebibytes, reading ends there."""
    stream = io.BytesIO(b'{"body": "' + b"x" * (100 * MEBIBYTE))
    tracemalloc.start()
    with pytest.raises(UsageError, match="line 1: longer than 8388608 bytes"):
        list(read_archive(stream))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY_BYTES
    assert stream.tell() < 20 * MEBIBYTE


@pytest.mark.parametrize(
    "queue",
    [
        "arn:aws:sqs:us-east-1:999999999999:orders-dlq",
        "arn:aws:sqs:eu-west-1:123456789012:orders-dlq",
        "arn:aws:sqs:us-east-1:123456789012:no-such-queue",
        "arn:aws-cn:sqs:cn-north-1:123456789012:orders-dlq",
    ],
)
def test_a_queue_that_is_not_there_ends_the_import_before_it_begins(world: World, tmp_path: Path, queue: str) -> None:
    """A stranger's archive names queues of other accounts: not even its good lines are sent."""
    file = tmp_path / "archive.jsonl"
    file.write_bytes(line() + line(queue=queue, message_id="n"))
    ended = world.run("dlq", "import", str(file), "--yes")
    assert ended.status in {1, 2}
    assert "please report" not in ended.err
    assert_harmless(ended)
    assert world.sqs.requests["SendMessageBatch"] == 0
