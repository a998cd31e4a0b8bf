"""Folders that are called after classes, on whatever system they are looked at."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

NOWHERE = re.compile(
    r"""
    .*[<>:"/\\|?*\x00-\x1f\x7f\ufffd].* # what no file may be called on Windows, or on Unix, and what was unreadable
    | [.\ ].* | .*[.\ ]                 # hidden; Windows drops dots and spaces at the end
    | (con|prn|aux|nul|(com|lpt)[0-9\xb9\xb2\xb3])([.\ ].*)? # devices of Windows, whatever the suffix
    | """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Names that some system refuses, or takes for something else."""
LONGEST = 255
"""Bytes in a name, on most file systems."""


def folder_names(classes: Sequence[int], class_names: Sequence[str]) -> dict[int, str]:
    """What the folder of each of some classes is called: its name, if that is one for folders, and no other class's
    number, nor its name but for capitals; otherwise its number.
    """
    alike = Counter(map(_folded, class_names)) + Counter(map(str, range(len(class_names))))
    found = {label: str(label) for label in classes}
    for label in classes if class_names else ():
        name = class_names[label]
        others = alike[_folded(name)] - (1 if name != str(label) else 2)
        if not others and not NOWHERE.fullmatch(name) and len(name.encode()) <= LONGEST:
            found[label] = name
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
