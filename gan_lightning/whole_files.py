"""Files that are whole or not there."""

import json
from pathlib import Path
from typing import Any


def write_text(path: Path, content: str) -> None:
    """Write a file, in a folder made if it is missing; it appears under its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(content)
    unfinished.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of JSON in that way.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON does not know.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """What such a file holds; None if it is damaged."""
    try:
        content = json.loads(path.read_text())
    except ValueError:  # not JSON, or not text
        return None
    return content if isinstance(content, dict) else None
