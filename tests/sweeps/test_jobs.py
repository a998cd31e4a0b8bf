import itertools
import json
import re
from pathlib import Path

import pytest
from filelock import FileLock

from gan_lightning.errors import UserError
from gan_lightning.settings import but_for_length
from gan_lightning.sweeps.jobs import LONGEST_NAME, folder_name
from gan_lightning.sweeps.status import Record, State, read_status


def test_names_of_folders_tell_overrides_apart_and_need_no_quotes() -> None:
    values = [
        "1e-4",
        "0.0001",
        "-1",
        "",
        "a b",
        "a_b",
        "a,b",
        "[a,b]",
        "{a: 1}",
        "a/b",
        "../a",
        "ä",
        "a=b",
        "x" * 300,
        "x" * 301,
    ]
    names = {folder_name([f"optimizer.lr={value}"]) for value in values}
    assert len(names) == len(values)
    pairs = itertools.product(("a", "a+b", "a=1"), ("1", "1+b-2", "b=2"))
    assert len({folder_name([f"{key}={value}", "c=3"]) for key, value in pairs}) == 9
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9+._-]+", name)
        assert len(name) <= LONGEST_NAME + 10
        assert name not in (".", "..")


def test_the_order_and_the_sign_of_adding_do_not_matter() -> None:
    assert folder_name(["b=2", "+a=1"]) == folder_name(["a=1", "b=2"]) == "a-1+b-2"
    assert folder_name(["dataset.batch_size=16", "optimizer.lr=1e-4"]) == "dataset.batch_size-16+optimizer.lr-1e-4"


@pytest.mark.slow
def test_the_status_follows_the_job(tmp_path: Path) -> None:
    assert read_status(tmp_path)["state"] is State.WAITING
    with Record(tmp_path, ["seed=1"]):
        assert read_status(tmp_path)["state"] is State.RUNNING
        with pytest.raises(UserError, match="another process is at work"):
            Record(tmp_path, []).__enter__()
        (tmp_path / "metrics.json").write_text("{}")
    found = read_status(tmp_path)
    assert (found["state"], found["overrides"]) == (State.COMPLETED, ["seed=1"])
    assert found["began"] <= found["ended"]


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (ValueError("no\nsuch thing"), State.FAILED),
        (SystemExit(130), State.INTERRUPTED),
        (KeyboardInterrupt(), State.INTERRUPTED),
    ],
)
def test_how_a_job_may_end(ending: BaseException, state: State, tmp_path: Path) -> None:
    with pytest.raises(type(ending)), Record(tmp_path, []):
        raise ending
    found = read_status(tmp_path)
    assert found["state"] is state
    assert found.get("error") == ("no such thing" if state is State.FAILED else None)
    assert (tmp_path / "traceback.txt").exists() == (state is State.FAILED)


def test_without_results_a_job_is_not_complete_and_a_pruned_one_is_no_failure(tmp_path: Path) -> None:
    with Record(tmp_path, []):
        pass
    assert read_status(tmp_path)["state"] is State.INTERRUPTED
    with Record(tmp_path, []) as record:
        record.pruned = True
    assert read_status(tmp_path)["state"] is State.PRUNED


def test_a_job_that_was_killed_is_interrupted_but_one_that_holds_its_lock_runs(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"state": "running"}))
    with FileLock(tmp_path / ".lock"):
        assert read_status(tmp_path)["state"] is State.RUNNING
    assert read_status(tmp_path)["state"] is State.INTERRUPTED
    assert read_status(tmp_path)["error"] == "it was killed"


def test_runs_that_are_the_same_but_for_their_length() -> None:
    def settings(max_epochs: int, log_every_n_steps: int = 1, seed: int = 0) -> dict:
        trainer = {"max_epochs": max_epochs, "log_every_n_steps": log_every_n_steps}
        return {"seed": seed, "trainer": trainer, "logger": {"purge_step": max_epochs}}

    assert but_for_length(settings(1)) == but_for_length(settings(2))
    assert but_for_length(settings(1)) != but_for_length(settings(2, log_every_n_steps=2))
    assert but_for_length(settings(1)) != but_for_length(settings(2, seed=1))
