"""Where things are, and what a pattern of paths stands for."""

import glob
import re
from pathlib import Path

PACKAGE = Path(__file__).parent
"""Where the package is."""
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""The configuration folder: inside an installed package, beside it in a checkout."""
LAST_CHECKPOINT, ONE_BEFORE = "last.ckpt", "before_last.ckpt"
"""In a run's folder `checkpoints`: what it goes on from, and what that was before, kept until the next is written."""


def expand(pattern: str) -> list[Path]:
    """The paths that match a pattern, 9 before 10; the path itself where it is no pattern, or exists."""
    if not re.search(r"[*?[]", pattern) or Path(pattern).exists():
        return [Path(pattern)]
    return sorted(map(Path, glob.glob(pattern, recursive=True)), key=with_numbers)  # noqa: PTH207


def with_numbers(path: Path) -> list[tuple[int, str]]:
    """Sorts 9 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]
