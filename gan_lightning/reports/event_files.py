"""TensorBoard's event files, as stored, for a copy, and as curves.

TensorBoard's own reader checks the sums of all pictures in pure Python, which takes twenty times as long.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER = struct.Struct("<QI")  # the length of the event, and a sum of that
FOOTER = struct.Struct("<I")  # a sum of the event


def read_events(path: Path) -> Iterator[tuple[bytes, Any]]:
    """Each event of a file, as stored and as TensorBoard's `Event`; ends where the file is cut off or damaged."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    stored = path.read_bytes()
    start = 0
    while start + HEADER.size <= len(stored):
        data = start + HEADER.size
        end = data + HEADER.unpack_from(stored, start)[0]
        if end + FOOTER.size > len(stored):
            return
        try:
            event = Event.FromString(stored[data:end])
        except DecodeError:
            return
        yield stored[start : end + FOOTER.size], event
        start = end + FOOTER.size


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run, points (step, value), by their tags; a run that went on from a checkpoint drew anew what it
    had drawn past it.
    """
    from tensorboard.compat.proto.event_pb2 import SessionLog

    curves: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        if not path.is_file() or path.is_symlink():  # a stranger's
            continue
        for _, event in read_events(path):
            if event.HasField("session_log") and event.session_log.status == SessionLog.START:
                curves = {tag: {s: v for s, v in points.items() if s < event.step} for tag, points in curves.items()}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return {tag: list(points.items()) for tag, points in curves.items()}
