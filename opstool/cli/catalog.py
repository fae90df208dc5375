"""What commands there are, in the order in which a person comes to need them: the first word of a branch, then its own.

A command's file is loaded when that command is called, or asked for its own help. The help of a branch, a misspelt name
and `--version` need no more than what stands here, so that they are on the screen at once.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: its line in the help of its branch, and its file in opstool/cli/commands; a branch has no file."""

    line: str
    file: str | None = None


CATALOG = {
    "dlq": Entry("Look into dead-letter queues, and empty them."),
    "dlq queues": Entry("Show every dead-letter queue of the account and region, the deepest first.", file="queues"),
    "dlq groups": Entry(
        "Show what the messages of the whole queue died of: how many each, since when, and what to do next.",
        file="groups",
    ),
    "dlq list": Entry(
        "Show messages (50 unless --limit): when each expires, where it came from, why it died as far as a log tells.",
        file="listing",
    ),
    "dlq show": Entry("Show one message in full, with why it died and what one might do with it.", file="show"),
    "dlq watch": Entry(
        "Show depth, arrivals and a running move task until Ctrl-C; nothing is received, so nothing is disturbed.",
        file="watch",
    ),
    "dlq redrive": Entry(
        "Send messages back to their own source queue, each copy confirmed before the original is deleted.",
        file="redrive",
    ),
    "dlq move-tasks": Entry(
        "Show the last ten native move tasks of a dead-letter queue; follow or cancel the one that is under way.",
        file="movetasks",
    ),
    "dlq purge": Entry(
        "Archive messages, then delete them; the report prints the command that brings them back.", file="purge"
    ),
    "dlq export": Entry(
        "Copy messages into a file, S3 or to stdout as JSON Lines, and leave them where they are.", file="archive"
    ),
    "dlq import": Entry(
        "Send an archive's messages into the queue they were archived from, each of them once.", file="archive"
    ),
    "dlq extend": Entry(
        "Let a dead-letter queue keep its messages longer (14 days unless --to-days); never shorter.", file="extend"
    ),
    "doctor": Entry(
        "Check the settings that make incidents of dead-letter queues, and say how to mend them "
        "(status 3: one failed).",
        file="doctor",
    ),
    "consumer": Entry("Stop and start the Lambda functions that consume a source queue."),
    "consumer pause": Entry(
        "Disable the event source mappings of a source queue, so that no message is consumed; nothing is deleted.",
        file="consumer",
    ),
    "consumer resume": Entry(
        "Enable what `consumer pause` has disabled; without a record of it, all mappings that are disabled.",
        file="consumer",
    ),
    "send-test-batch": Entry(
        "Send test messages to a source queue, some of them such that the consumer rejects them.", file="testbatch"
    ),
    "history": Entry(
        "Show the runs that changed something, newest first, or one of them message by message.", file="runs"
    ),
    "resume": Entry("Go on with a run that was interrupted; what it has sent is not sent again.", file="runs"),
    "iam-policy": Entry(
        "Print the least IAM policy that the commands need, as a bare JSON document on stdout.", file="iampolicy"
    ),
    "local": Entry("Run the embedded AWS: the template deployed on this machine, without an account."),
    "local start": Entry(
        "Deploy a template into an AWS on this machine, and run its functions on their queues.", file="local"
    ),
    "local status": Entry("Show the embedded AWS that runs, with the outputs of its stack.", file="local"),
    "local stop": Entry("Stop the embedded AWS; its queues and messages are gone with it.", file="local"),
    "demo": Entry(
        "Watch the whole story in one process, without an AWS account: deploy, send, fail, look, redrive, purge.",
        file="local",
    ),
}
"""By the words that a person types. Each line is the first of the docstring of its command, as a test asserts."""


def paths_under(branch: str) -> dict[str, str]:
    """Return what a branch holds: the last word of each path, and the path; of the program itself with ``""``."""
    return {path.rpartition(" ")[2]: path for path in CATALOG if path.rpartition(" ")[0] == branch}
