"""The story that `opstool demo` tells: real messages die in a real consumer, are looked at, mended and put back.

Every command it prints is the command that it runs, through the same `main` as a person's, on an embedded AWS that
lives as long as the story.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opstool.cli.errors import CAME_BACK, DONE
from opstool.doors.samconfig import local_parameters
from opstool.doors.toolkit import default_state_dir
from opstool.words.errors import NotFoundError, OpstoolError

if TYPE_CHECKING:
    from opstool.local.aws import LocalAws

Main = Callable[[Sequence[str]], int]
Say = Callable[[str], None]

STACK_NAME = "demo"
FINE, POISON, NOT_JSON, NO_OBJECT = 14, 6, 3, 1
"""Messages that are consumed, and those that die of three different reasons."""
DEAD = POISON + NOT_JSON + NO_OBJECT
# What would lead the commands of the story elsewhere.
_THEIR_SETTINGS = ("OPSTOOL_STATE_DIR", "OPSTOOL_STACK_NAME", "OPSTOOL_QUEUE", "OPSTOOL_OUTPUT")
_WAIT_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Story:
    """The teller: `main` runs a command, `say` prints a line."""

    main: Main
    say: Say
    aws: LocalAws

    def tell(self) -> None:
        """Tell it from the deployment to the empty queue; raise OpstoolError when a step does not end as it should."""
        self._send_and_watch()
        biggest = self._look()
        self._look_closer(biggest["sample_id"])
        self._send_a_few(biggest["fingerprint"])
        self._mend(biggest["fingerprint"])
        self._throw_the_rest_away()

    def _send_and_watch(self) -> None:
        self._chapter(f"{FINE + DEAD} messages are sent to the source queue; the consumer will reject {DEAD} of them.")
        self._run("send-test-batch", "--count", str(FINE + POISON), "--poison", str(POISON), "--quiet")
        self._run("send-test-batch", "--count", str(NOT_JSON), "--body", "order 4711, by an old client", "--quiet")
        self._run("send-test-batch", "--count", str(NO_OBJECT), "--body", '["order", 4712]', "--quiet")
        self._until(
            lambda: self._depth("ProcessingDLQURL") == DEAD and self._depth("ProcessingQueueURL") == 0,
            f"{DEAD} messages in the dead-letter queue",
        )
        self._note(f"{FINE} were consumed; {DEAD} failed three times each, and SQS moved them to the DLQ")

    def _look(self) -> dict[str, Any]:
        """Show the reasons; return the group of the most frequent one."""
        self._chapter("What is in there, and why?")
        self._run("dlq", "groups")
        answer = io.StringIO()
        with redirect_stdout(answer), redirect_stderr(io.StringIO()):
            self.main(["--local", "--output", "json", "dlq", "groups"])
        groups: list[dict[str, Any]] = json.loads(answer.getvalue())["groups"]
        if [each["count"] for each in groups] != sorted((POISON, NOT_JSON, NO_OBJECT), reverse=True):
            raise OpstoolError("the dead messages do not have the three reasons they died of", code="demo_failed")
        return groups[0]

    def _look_closer(self, message_id: str) -> None:
        self._chapter("One of the most frequent kind, in full: its attempts, and the traceback of the last.")
        self._run("dlq", "show", message_id)

    def _send_a_few(self, fingerprint: str) -> None:
        self._chapter("A few of them go back first: a redrive mends nothing, and a canary tells.")
        note = "are they really broken?"
        self._run("dlq", "redrive", "--reason", fingerprint, "--canary", "2", "--yes", "--note", note, wanted=CAME_BACK)
        self._note("status 5: they died again, and the others were not sent")

    def _mend(self, fingerprint: str) -> None:
        self._chapter(
            "An old client wrote `poison` where the consumer wants `message`: their bodies are mended on the way."
        )
        self._run("dlq", "redrive", "--reason", fingerprint, "--transform", "{message: body.poison}", "--wait", "--yes")
        if self._depth("ProcessingDLQURL") != DEAD - POISON:
            raise OpstoolError("the mended messages died again", code="demo_failed")

    def _throw_the_rest_away(self) -> None:
        self._chapter("What nobody can mend is purged into an archive; the command that undoes it is printed.")
        name = self.aws.outputs["ProcessingDLQARN"].rsplit(":", 1)[-1]
        self._run("dlq", "purge", "--confirm", name)
        left = self._depth("ProcessingDLQURL")
        self.say("")
        self.say(
            f"{FINE + DEAD} sent: {FINE} consumed at once, {POISON} mended and consumed, {DEAD - POISON} archived. "
            f"{left} left in the dead-letter queue."
        )
        if left:
            raise OpstoolError("the dead-letter queue is not empty", code="demo_failed")

    def _run(self, *words: str, wanted: int = DONE) -> None:
        """Print a command and run it."""
        self.say(f"$ opstool --local {shlex.join(words)}")
        status = self.main(["--local", *words])
        if status != wanted:
            raise OpstoolError(f"`opstool {words[0]}` ended with status {status}", code="demo_failed")

    def _chapter(self, title: str) -> None:
        self.say("")
        self.say(f"# {title}")

    def _note(self, text: str) -> None:
        self.say(f"# {text}")

    def _depth(self, output: str) -> int:
        """Return how many messages a queue holds, visible or not; the emulator's counts are exact."""
        client = self.aws.settings.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = client.get_queue_attributes(QueueUrl=self.aws.outputs[output], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something that the consumer does in its own time; only the story does, so it may sleep."""
        ends_at = time.monotonic() + _WAIT_S
        while not holds():
            if time.monotonic() > ends_at:
                raise OpstoolError(f"waited {_WAIT_S:.0f} s in vain for {what}", code="demo_failed")
            time.sleep(_POLL_S)


def tell(main: Main, say: Say, *, template: Path | None = None) -> None:
    """Tell the story on an embedded AWS of its own; raise OpstoolError when it does not end as it should."""
    from opstool.local import start  # noqa: PLC0415 - the emulator is an extra, and slow to import

    started = time.monotonic()
    path = template or find_template()
    with tempfile.TemporaryDirectory(prefix="opstool-demo-") as name, _state_in(Path(name)) as folder:
        say("# An AWS on this machine alone, no account: the stack of template.yaml, its consumer running.")
        say("# Its function timeout is 5 s, not 30, and RetryPacing is on, so that what is poison dies in seconds.")
        say("$ opstool local start")
        parameters = local_parameters(path.parent / "samconfig.toml")
        with start(path, stack_name=STACK_NAME, parameters=parameters, state_dir=folder) as aws:
            say(f"stack {aws.stack_name} on {aws.endpoint_url}")
            Story(main=main, say=say, aws=aws).tell()
    say(f"The whole story took {time.monotonic() - started:.0f} s.")


@contextmanager
def _state_in(folder: Path) -> Iterator[Path]:
    """Let the commands of the story find their state in a folder without being told, as a person's do."""
    home = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME"
    theirs = {name: os.environ.pop(name, None) for name in (home, *_THEIR_SETTINGS)}
    os.environ[home] = str(folder)
    try:
        yield default_state_dir()
    finally:
        os.environ.update({name: value for name, value in theirs.items() if value is not None})
        if theirs[home] is None:
            del os.environ[home]


def find_template() -> Path:
    """Return template.yaml of this folder, or of the checkout that opstool was installed from."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / "template.yaml").is_file() and (folder / "consumer").is_dir():
            return folder / "template.yaml"
    raise NotFoundError(
        "there is no template.yaml with a consumer here",
        code="template_not_found",
        hint="run the demo in a clone of the repository",
    )
