"""The sink that sends mended copies: the originals are on disk before the first of their copies is sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opstool.doors.archive import ArchiveWriter
from opstool.engine.sinks import GARBLED, ArchiveSink, HeldBack, Put, Rejected, Sink, StillOurs, all_ours
from opstool.words.mending import Mending, NotMended
from opstool.words.message import Message
from opstool.words.plan import Plan


def mending_sink(inner: Sink, plan: Plan, *, resume: bool) -> Sink:
    """Return the sink that mends as the plan says, or `inner` itself where nothing is mended.

    `resume` goes on with the archive of originals that an earlier execution began. Raises StorageError.
    """
    mending = Mending.from_json(plan.options.get("mending"))
    if mending is None:
        return inner
    file = Path(plan.options["archive"])
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = ArchiveWriter(file, queue_arn=plan.queue.arn, archive_id=plan.run_id, resume=resume)
    return MendingSink(inner, originals=ArchiveSink(archive, str(file)), mending=mending)


class MendingSink:
    """Put the mended copy of each message into `inner`, and first each original that is changed into `originals`.

    What becomes of a message is what becomes of its copy. A message that is right already is put as it is.
    """

    def __init__(self, inner: Sink, *, originals: Sink, mending: Mending) -> None:
        self._inner = inner
        self._originals = originals
        self._mending = mending

    def repeat_is_safe_for_s(self, message: Message) -> float:
        """Return what the inner sink does: the same message is always mended in the same way."""
        return self._inner.repeat_is_safe_for_s(message)

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether an earlier copy was sent: that it was archived is not enough."""
        return self._inner.suffices(message_id, target)

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:
        """Archive the originals, then send the copies; raise StorageError, with nothing sent, when the disk says no."""
        results: dict[str, Put] = {}
        copies: dict[str, Message] = {}
        stopped: set[str | None] = set()
        for message in messages:
            group = self._inner.group_of(message)
            made = HeldBack() if group in stopped else self._copy(message)
            if isinstance(made, Message):
                copies[message.message_id] = made
            else:
                results[message.message_id] = made
                stopped |= {group} - {None}
        changed = [each for each in messages if copies.get(each.message_id, each) is not each]
        if changed:
            self._originals.put(changed)

        def copies_still_ours(batch: Sequence[Message]) -> Sequence[Message]:
            ids = {each.message_id for each in still_ours([by_id[copy.message_id] for copy in batch])}
            return [copy for copy in batch if copy.message_id in ids]

        by_id = {message.message_id: message for message in messages}
        return {**results, **self._inner.put(list(copies.values()), copies_still_ours)}

    def _copy(self, message: Message) -> Message | Rejected:
        """Return what is to be sent; what did not arrive as the server named it must not be taken for an original."""
        if not message.is_intact:
            return Rejected(code="copy_differs", message=GARBLED)
        mended = self._mending.apply(message)
        return Rejected(code="not_mended", message=mended.why) if isinstance(mended, NotMended) else mended

    def sent_as(self, message: Message) -> Message:
        """Return the mended copy: with that body it comes back."""
        mended = self._mending.apply(message)
        return self._inner.sent_as(message if isinstance(mended, NotMended) else mended)

    def group_of(self, message: Message) -> str | None:
        """Return the group there, which mending does not change."""
        return self._inner.group_of(message)

    def close(self) -> None:
        """Close both; an archive that took nothing is not left behind."""
        try:
            self._inner.close()
        finally:
            self._originals.close()
