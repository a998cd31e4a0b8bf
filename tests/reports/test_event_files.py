from pathlib import Path

import pytest
from conftest import SHORT, Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from gan_lightning.reports.event_files import read_events, read_scalars


@pytest.mark.slow
def test_the_curves_are_those_that_tensorboard_shows_also_of_a_run_that_went_on(run: Run) -> None:
    every = (*SHORT, "callbacks.checkpoints.every_n_epochs=1")
    run(*every, "trainer.max_epochs=3")
    run(*every, "trainer.max_epochs=4", "ckpt_path=run/checkpoints/epoch_0001.ckpt")
    reference = EventAccumulator("run", size_guidance={"scalars": 0}).Reload()
    curves = read_scalars(Path("run"))
    assert curves.keys() == set(reference.Tags()["scalars"])
    for tag, points in curves.items():
        assert points == [(point.step, point.value) for point in reference.Scalars(tag)]


def test_a_file_that_is_being_written_or_was_cut_off(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path))
    for step in range(10):
        writer.add_scalar("a", step, step)
    writer.close()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    assert b"".join(stored for stored, _ in read_events(path)) == whole
    assert read_scalars(tmp_path)["a"] == [(step, step) for step in range(10)]
    for length in (len(whole) - 1, len(whole) - 20, len(whole) - 25):
        path.write_bytes(whole[:length])
        assert [step for step, _ in read_scalars(tmp_path)["a"]] == list(range(9))
    path.write_bytes(b"")
    assert read_scalars(tmp_path) == {}


@pytest.mark.parametrize("content", [b"not an event file at all", b"\x05" + b"\x00" * 40])
def test_what_is_no_event_file_has_no_events(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    assert read_scalars(tmp_path) == {}
