"""A file is whole or not there, whatever happens while it is written."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gan_lightning.loop.checkpoint_files import WholeCheckpoints
from gan_lightning.whole_files import UNFINISHED, remove_unfinished, whole_file, whole_folder, write_text


def test_what_goes_wrong_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.txt"
    write_text(path, "before")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", "text"])  # type: ignore[list-item]
    assert [each.read_text() for each in path.parent.iterdir()] == ["before"]


def test_a_folder_is_there_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "above" / "folder"
    with pytest.raises(AttributeError), whole_folder(path) as folder:
        write_text(folder / "below" / "file.txt", 1)  # type: ignore[arg-type]
    assert not [*path.parent.iterdir()]
    with whole_folder(path) as folder:
        write_text(folder / "below" / "file.txt", "whole")
        assert not path.exists()
    assert (path / "below" / "file.txt").read_text() == "whole"
    with pytest.raises(OSError, match="not empty") as refused, whole_folder(path) as folder:
        write_text(folder / "file.txt", "other")
    assert refused.value.filename == str(path)
    assert [each.name for each in path.parent.iterdir()] == ["folder"]
    assert [each.name for each in path.iterdir()] == ["below"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill here")
def test_a_kill_leaves_what_was_there_and_what_is_removed_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "before")
    code = f"""
import os, pathlib, signal
from gan_lightning.whole_files import whole_file
with whole_file(pathlib.Path({str(path)!r})) as file:
    file.write(b"half"), file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(f".*{UNFINISHED}")
    assert (path.read_text(), left.read_text()) == ("before", "half")
    remove_unfinished(tmp_path.parent)
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_a_disk_that_is_full_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with pytest.raises(OSError, match="No space left") as caught, whole_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_the_last_checkpoint_but_one_is_kept_beside_the_last(tmp_path: Path) -> None:
    files = WholeCheckpoints()
    for number in range(3):
        files.save_checkpoint({"number": number}, tmp_path / "checkpoints" / "last.ckpt")
        files.save_checkpoint({"number": number}, tmp_path / "checkpoints" / "best.ckpt")
    numbers = {path.name: torch.load(path)["number"] for path in (tmp_path / "checkpoints").iterdir()}
    assert numbers == {"last.ckpt": 2, "before_last.ckpt": 1, "best.ckpt": 2}


def test_where_files_have_no_second_name_it_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    test_the_last_checkpoint_but_one_is_kept_beside_the_last(tmp_path)
