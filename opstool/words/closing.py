"""What is open until it is closed: the `with` of everything here that has a `close`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Something to be used in a `with`, which closes it whatever happened."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; a second call does nothing more."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, whatever happened."""
        self.close()
