"""The classes of a data set: what they are called, and which of them are asked for."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from gan_lightning.errors import UserError

LONGEST = 300
"""Characters of a name: a folder's has 255 at most, and a data set's says its size beside."""
MOST_NAMES = 100_000
SHOWN = 12
"""Names that a message lists."""


def readable(text: str) -> str:
    """A name as it is kept, and looked for: one line of characters that can be shown, and those of one form (NFC)."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)[:LONGEST]


def readable_names(names: Iterable[str], num_classes: int) -> list[str]:
    """The names of so many classes as they are kept; none if they do not tell all of these apart."""
    kept = [readable(name) for name in names]
    tell_apart = len(kept) == len(set(kept)) == num_classes <= MOST_NAMES and all(kept)
    return kept if tell_apart else []


def asked_for(labels: Any, num_classes: int, class_names: Sequence[str]) -> list[int]:
    """The classes, 0 … num_classes - 1, that somebody asks for: one or several, each by its number or its name.

    Raises:
        UserError: if there are no such.
    """
    given = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else [labels]
    numbers = {name: number for number, name in enumerate(class_names)}
    found = [numbers.get(readable(each)) if isinstance(each, str) else each for each in given]
    classes = [each for each in found if type(each) is int and 0 <= each < num_classes]
    if not found or len(classes) != len(found):
        shown = [*class_names[:SHOWN], *(["…"] if len(class_names) > SHOWN else [])]
        or_name = f" or the name of a class ({', '.join(shown)})" if shown else ""
        raise UserError(
            f"labels must be a label from 0 to {num_classes - 1}{or_name}, or a list of such, not {labels!r}"
        )
    return classes
