"""Many literal strings sought in many texts at once, in a time that hardly depends on how many strings there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_LONGEST_ANCHOR = 40
"""As many first characters are compared by the regular expression; 36 are a whole message id."""


class Needles:
    """Strings to be found anywhere in a text. An empty one is refused: it would be found everywhere."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts: Collection[str] = tuple(dict.fromkeys(texts))
        if not all(self.texts):
            raise ValueError("a string to be sought is empty")
        length = min((len(text) for text in self.texts), default=0)
        length = min(length, _LONGEST_ANCHOR)
        self._by_anchor: dict[str, list[str]] = {}
        for text in self.texts:
            self._by_anchor.setdefault(text[:length], []).append(text)
        self._anchor = _shape(self._by_anchor, length)

    def are_in(self, text: str) -> bool:
        """Tell whether any of them is in this text."""
        for match in self._anchor.finditer(text) if self.texts else ():
            if any(text.startswith(each, match.start()) for each in self._by_anchor.get(match[1], ())):
                return True
        return False


def _shape(anchors: Iterable[str], length: int) -> re.Pattern[str]:
    """Return what finds every place at which one of the anchors might stand, overlapping ones too."""
    characters: list[set[str]] = [set() for _ in range(length)]
    for anchor in anchors:
        for seen, character in zip(characters, anchor, strict=True):
            seen.add(character)
    classes = ("[" + "".join(re.escape(each) for each in sorted(seen)) + "]" for seen in characters)
    return re.compile(f"(?=({''.join(classes)}))")
