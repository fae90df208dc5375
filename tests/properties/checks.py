"""What has to be true after every verb of the stateful tests: the promises, said of what lay where before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from opstool.doors.sqs import CLOCKS_AGREE_MS
from opstool.fake.stored import State, StoredMessage
from opstool.words.message import Message
from opstool.words.report import Report, Status
from tests.properties.account import Account, Census
from tests.properties.ledger import Content, Ledger
from tests.properties.test_conservation import check_counts, check_status

Selects = Callable[[StoredMessage], bool]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run is to do: which messages, how many of them at most, and where to (None: each to its own source).

    `sent_before_ms` freezes a run over the whole queue.
    """

    selects: Selects
    limit: int | None = None
    to: str | None = None
    sent_before_ms: int | None = None

    def may_be_a_return(self, message: StoredMessage, lost_bodies: set[str]) -> bool:
        """Tell whether a message looks like a return of this run, though it is none.

        SQS's time is known to two seconds, and after a lost answer the body is all there is to know a return by: what
        has the body of a lost send, and was sent within that time of the plan, is left alone and counted as returned.
        """
        young = self.sent_before_ms is not None and message.sent_at_ms >= self.sent_before_ms - CLOCKS_AGREE_MS
        return young and message.body in lost_bodies


def check_report(ledger: Ledger, report: Report) -> None:
    """Check that counts add up, that the status is true, and that whatever was sent twice is named."""
    check_counts(report)
    check_status(report)
    assert report.run_id
    assert ledger.doubled(report.run_id) <= set(report.possibly_sent_twice_ids), "sent twice, and not counted"


def check_untouched(before: Census, after: Census, now_ms: int, retention_s: Mapping[str, int]) -> None:
    """Check that looking has left every message as it was, but for receive counts, which only grow."""
    for queue, messages in before.items():
        for message_id, old in messages.items():
            new = after[queue].get(message_id)
            if new is None:
                assert is_expired(old, now_ms, retention_s[queue]), "a look has removed a message"
                continue
            assert _as_if_never_received(new) == _as_if_never_received(old), "a look has changed a message"
            assert new.receive_count >= old.receive_count
            assert queue == "dlq" or new.receive_count == old.receive_count, "a look has touched another queue"
        assert not after[queue].keys() - messages.keys(), "a look has made a message"


def _as_if_never_received(message: StoredMessage) -> tuple[object, ...]:
    same = replace(message, receive_count=0, receipts=0)
    return same.body, same.attributes, same.trace_header, same.group_id, same.sent_at_ms, same.source_arn


def check_gone(account: Account, run_id: str, wanted: Wanted, before: Census, after: Census) -> set[str]:
    """Check what a run has taken out of the DLQ: nothing that was not meant, and not too much. Return it."""
    there = {key for messages in after.values() for key in messages}
    missing = {key: old for messages in before.values() for key, old in messages.items() if key not in there}
    # What died during the run, from a source queue, may be included: SQS keeps the original SentTimestamp.
    gone = {
        key for key in missing if key in account.ledger.instances and account.ledger.instances[key].deleted_by == run_id
    }
    for key in (before["dlq"].keys() & missing.keys()) - gone:
        assert is_expired(missing[key], account.now_ms, account.retention_s("dlq")), "a message has vanished"
    assert all(wanted.selects(missing[key]) for key in gone), "what was not selected is gone"
    sent = {key for (_, key), ids in account.ledger.copies.items() if account.ledger.instances[ids[0]].run_id == run_id}
    if wanted.limit is not None:
        assert len(sent) <= wanted.limit, "more was sent than the limit allows"
        taken = {key for key, each in account.ledger.instances.items() if each.deleted_by == run_id}
        assert len(taken) <= wanted.limit, "more was taken than the limit allows"
    return gone


def check_targets(account: Account, run_id: str, wanted: Wanted, before: Census) -> None:
    """Check that each copy of a redrive lies where it was to go."""
    for (_, record_id), new_ids in account.ledger.copies.items():
        for new_id in new_ids:
            copy = account.ledger.instances[new_id]
            origin = before["dlq"].get(record_id)
            if copy.run_id != run_id or origin is None:
                continue
            if wanted.to:
                assert copy.queue_url == account.queues[wanted.to].url
            elif origin.source_arn:
                [home] = [each.url for each in account.queues.values() if each.arn == origin.source_arn]
                assert copy.queue_url == home, "sent to a queue that is not its own"


def check_order(sent: list[str], wanted: Wanted, before: Census) -> None:
    """Check that a FIFO redrive sent the messages of a group, on their way to one queue, in the order they lay in."""
    place = {key: number for number, key in enumerate(before["dlq"])}
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for key in sent:
        if key in place:
            message = before["dlq"][key]
            groups.setdefault((wanted.to or message.source_arn, message.group_id), []).append(place[key])
    assert all(places == sorted(places) for places in groups.values()), "one message has overtaken another of its group"


def check_nothing_hidden(census: Census, known: Mapping[str, int], said: str | None) -> None:
    """Check that nothing of ours stays in flight, unless it was `said` (None: nobody was left to say anything).

    `known` are others' holds, by message id.
    """
    for messages in census.values():
        for key, message in messages.items():
            if message.state is State.IN_FLIGHT and message.visible_at_ms > known.get(key, -1):
                is_said = said is None or "hidden" in said
                assert is_said, f"{key} stays hidden until {message.visible_at_ms}, and nobody says so: {said}"


def is_expired(message: StoredMessage, now_ms: int, retention_s: int) -> bool:
    """Tell whether a queue with this retention no longer keeps a message."""
    return now_ms >= message.sent_at_ms + 1_000 * retention_s


def is_copy(message: Message | StoredMessage, content: Content) -> bool:
    """Tell whether a message is what was sent, to the last byte."""
    copy = (message.body, dict(message.attributes), message.trace_header)
    return copy == (content.body, dict(content.attributes), content.trace_header)


def is_done(report: Report | None) -> bool:
    """Tell whether a run has ended with nothing left to do."""
    return report is not None and report.status is Status.DONE
