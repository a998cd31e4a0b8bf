"""Files that are whole or not there."""

import json
import math
from pathlib import Path
from typing import Any


def write_text(path: Path, content: str) -> None:
    """Write a file, in a folder made if it is missing; it appears under its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(content)
    unfinished.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of JSON in that way; a number that is NaN or infinite, which JSON does not know, becomes null."""
    write_text(path, json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n")


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path) -> dict[str, Any] | None:
    """What such a file holds; None if it is damaged, or not there."""
    try:
        content = json.loads(path.read_text())
    except (ValueError, FileNotFoundError):  # not JSON, not text, or nothing at all
        return None
    return content if isinstance(content, dict) else None
