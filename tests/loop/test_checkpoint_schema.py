"""That a wrong checkpoint is refused in one line, before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, assert_same_weights, weights, without_model
from torch import Tensor

from gan_lightning import sample
from gan_lightning.loop.checkpoint_schema import infinite_part

Change = Callable[[dict[str, Any]], object]
WEIGHT, BIAS = "generator.layers.0.weight", "discriminator.layers.1.bias"


def state(checkpoint: dict[str, Any], optimizer: int = 0) -> dict[Any, Any]:
    return checkpoint["optimizer_states"][optimizer]["state"]


def put(*keys: Any, value: Any) -> Change:
    """Put a value where the keys lead."""

    def change(checkpoint: Any) -> None:
        for key in keys[:-1]:
            checkpoint = checkpoint[key]
        checkpoint[keys[-1]] = value

    return change


def drop(*keys: Any) -> Change:
    def change(checkpoint: Any) -> None:
        for key in keys[:-1]:
            checkpoint = checkpoint[key]
        del checkpoint[keys[-1]]

    return change


def cast(name: str, how: Callable[[Tensor], Any]) -> Change:
    return lambda checkpoint: checkpoint["state_dict"].update({name: how(checkpoint["state_dict"][name])})


EPOCHS = ("loops", "fit_loop", "epoch_progress", "current")
LOADER = ("loops", "fit_loop", "state_dict", "combined_loader")
PROGRESS = ("loops", "fit_loop", "epoch_loop.batch_progress", "current", "ready")
WRONG: dict[str, tuple[Change, str]] = {
    "a weight missing": (drop("state_dict", WEIGHT), f"state_dict lacks {WEIGHT}"),
    "a weight too many": (
        put("state_dict", "more", value=torch.ones(1)),
        "state_dict has more, which this model has not",
    ),
    "no tensor": (cast(WEIGHT, lambda weight: weight.tolist()), "layers.0.weight is a list of 16, not a tensor"),
    "a shape": (cast(WEIGHT, lambda weight: weight.T), r"weight is (100, 16), but this model's is (16, 100)"),
    "whole numbers": (cast(BIAS, lambda weight: weight.long()), "is of torch.int64, but this model's of torch.float32"),
    "half precision": (
        cast(BIAS, lambda weight: weight.half()),
        "is of torch.float16, but this model's of torch.float32",
    ),
    "NaN": (cast(WEIGHT, lambda weight: weight * torch.nan), f"{WEIGHT} holds NaN or infinity"),
    "no optimizers": (put("optimizer_states", value=[]), "optimizer_states is a list of 0, not a list of 2"),
    "no moments": (
        lambda each: state(each).clear(),
        "optimizer_states.0.state is empty, but that optimizer has moved already",
    ),
    "moments of another": (
        lambda each: state(each, 1).update(state(each)),
        "optimizer_states.1.state.0.exp_avg is (16, 100)",
    ),
    "infinite moments": (
        lambda each: state(each)[0]["exp_avg"].fill_(torch.inf),
        "state.0.exp_avg holds NaN or infinity",
    ),
    "another optimizer": (lambda each: state(each)[0].pop("exp_avg_sq"), "optimizer_states.0.state.0 lacks exp_avg_sq"),
    "no groups": (put("optimizer_states", 0, "param_groups", value=[]), "param_groups is a list of 0, not a list of 1"),
    "a rate": (
        lambda each: each["optimizer_states"][0]["param_groups"][0].update(lr="x"),
        "param_groups.0.lr is str",
    ),
    "no random numbers": (drop("random"), "random has no states of random number generators"),
    "no latents": (drop("random", "states", "latent"), "random.states lacks latent"),
    "short states": (
        put("random", "states", "cpu", value=torch.zeros(1, 7, dtype=torch.uint8)),
        "random.states.cpu are no states of a random number generator",
    ),
    "states of text": (put("random", "states", "latent", value="x"), "random.states.latent are no states"),
    "progress of text": (put(*PROGRESS, value="x"), "current.ready is str, which it cannot be"),
    "progress below 0": (put(*PROGRESS, value=-1), "current.ready is -1, which it cannot be"),
    "no loop": (drop("loops", "fit_loop", "epoch_loop.batch_progress", "total"), "batch_progress lacks total"),
    "alternations": (put("alternations", value=1.5), "alternations must be a whole number of at least 0, not 1.5"),
    "no alternations": (drop("alternations"), "alternations must be a whole number of at least 0, not None"),
    "a version": (put("pytorch-lightning_version", value=3), "pytorch-lightning_version is int, not str"),
    "no version": (put("pytorch-lightning_version", value="x"), "pytorch-lightning_version is x, not 2.0 or later"),
    "another version": (put("pytorch-lightning_version", value="1.0.0"), "version is 1.0.0, not 2.0 or later"),
    "images": (put("images_seen", value="x"), "images_seen is str, which it cannot be"),
    "no rows": (put("random", "states", "latent", value=torch.zeros(0, dtype=torch.uint8)), "random.states.latent"),
    "far alternations": (put("alternations", value=10**30), "alternations is 1000000000000000000000000000000"),
    "far epochs": (put(*EPOCHS, "completed", value=10**9), "epoch_progress.current is no place in a training"),
    "a far step": (
        put(*PROGRESS[:-1], value={"ready": 9, "started": 9, "completed": 9, "processed": 9}),
        "batch_progress is beyond the 5 steps of an epoch",
    ),
    "a loader": (put(*LOADER, value=[3]), "combined_loader is int, not a dict"),
    "a far loader": (put(*LOADER, value=[{"epoch": 0, "drawn": 99}]), "combined_loader is beyond the 5 steps"),
    "moments of others": (lambda each: state(each).update({99: state(each)[0]}), "optimizer_states.0.state has 99"),
    "other weights": (
        lambda each: each["optimizer_states"][0]["param_groups"][0].update(params=[7] * 4),
        "param_groups.0.params are not the weights of this model",
    ),
    "a rate below 0": (
        lambda each: each["optimizer_states"][0]["param_groups"][0].update(lr=-1.0),
        "param_groups.0.lr is -1.0, which it cannot be",
    ),
    "an empty point": (put("callbacks", "Statistics", "history", value=[{}]), "history holds what is no point of it"),
    "numbers that are not there": (
        put("state_dict", WEIGHT, value=torch.zeros(1).expand(16, 100)),
        f"{WEIGHT} has fewer numbers than its shape says",
    ),
    "callbacks": (put("callbacks", value=[]), "callbacks is a list of 0, not a dict"),
    "a callback": (put("callbacks", "Statistics", value=3), "callbacks.Statistics is int, not a dict"),
    "a history": (
        put("callbacks", "Statistics", "history", value=[{"epoch": "x"}]),
        "callbacks.Statistics is not what it takes back: ValueError history holds what is no point of it",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def wrong(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Change], Path]:
    """A changed copy of a whole run's checkpoint."""
    path = tmp_path_factory.mktemp("wrong") / "wrong.ckpt"

    def make(change: Change) -> Path:
        checkpoint = torch.load(whole / "checkpoints/last.ckpt", weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, path)
        return path

    return make


@pytest.mark.parametrize("change", WRONG)
def test_none_is_gone_on_from_and_nothing_is_written(run: Run, wrong: Callable[[Change], Path], change: str) -> None:
    path = wrong(WRONG[change][0])
    outcome = run(*SHORT, "trainer.max_epochs=6", f"ckpt_path={path}")
    assert outcome.exit_code == 1
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"error: {path}")
    assert WRONG[change][1] in line
    assert not Path("run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("optimizer=r3gan", "gan.ema.half_life=100", "objective=rpgan", "penalty=r1_r2"),
        ("optimizer=goodfellow_sgd", "model=goodfellow"),
        (*CONDITIONAL, "model.generator.normalization=batch", "trainer.precision=bf16-mixed"),
        ("model=sngan", "model.generator.width=4", "model.discriminator.width=4", "objective=hinge"),
    ],
    ids=["r3gan", "goodfellow", "conditional", "spectral"],
)
def test_whatever_was_written_goes_on(run: Run, words: tuple[str, ...]) -> None:
    all_words = [*without_model(SHORT), *words]
    assert run(*all_words, "trainer.max_epochs=2", "output_dir=whole").exit_code == 0
    assert run(*all_words, "trainer.max_epochs=1").exit_code == 0
    outcome = run(*all_words, "trainer.max_epochs=2", "ckpt_path=auto")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("whole/checkpoints/last.ckpt"))


@pytest.mark.parametrize(
    ("hidden_dims", "said"),
    [
        ([3] * 200_000, "the checkpoint's generator has a setting of 200,000 values, which no network has"),
        ([3] * 900, "generator has 4 tensors, but its settings make many more"),
        ([10**9], "generator.layers.0.weight is (16, 100), but this model's is (1000000000, 100)"),
        ([9], "generator.layers.0.weight is (16, 100), but this model's is (9, 100)"),
    ],
)
def test_sizes_that_cannot_be_take_neither_time_nor_memory(
    run: Run, wrong: Callable[[Change], Path], hidden_dims: list[int], said: str
) -> None:
    path = wrong(put("hyper_parameters", "model", "generator", "hidden_dims", value=hidden_dims))
    outcome = run(f"ckpt={path}", entry_point=sample)
    assert outcome.exit_code == 1
    assert said in outcome.stderr


def test_a_checkpoint_that_was_cut_off_is_damaged(run: Run, whole: Path) -> None:
    content = (whole / "checkpoints/last.ckpt").read_bytes()
    for length in (0, 1, 5000, len(content) - 1):
        Path("cut.ckpt").write_bytes(content[:length])
        outcome = run("ckpt=cut.ckpt", entry_point=sample)
        assert outcome.stderr == "error: cut.ckpt is not a checkpoint, or it is damaged\n"


def test_a_flipped_bit_is_damage_and_the_checkpoint_before_is_used(run: Run, whole: Path) -> None:
    good = (whole / "checkpoints/last.ckpt").read_bytes()
    place = len(good) // 2
    Path("last.ckpt").write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    assert "is not a checkpoint, or it is damaged" in run("ckpt=last.ckpt", entry_point=sample).stderr
    Path("before_last.ckpt").write_bytes(good)
    outcome = run("ckpt=last.ckpt", entry_point=sample)
    assert outcome.exit_code == 0, outcome.stderr


def test_lists_that_hold_one_another_are_not_unrolled(run: Run, wrong: Callable[[Change], Path]) -> None:
    shared: list[Any] = [0]
    for _ in range(40):
        shared = [shared, shared]
    path = wrong(put("hyper_parameters", "x", value=shared))
    outcome = run(f"ckpt={path}", entry_point=sample)
    assert outcome.stderr == f"error: {path} is not a checkpoint of this project\n"


def test_a_strangers_checkpoint_removes_nothing(run: Run) -> None:
    """Lightning removes the checkpoint before, as its callback remembers it."""
    words = (*SHORT[:-1], "callbacks.checkpoints.save_top_k=1", "callbacks.checkpoints.every_n_epochs=1")
    assert run(*words, "trainer.max_epochs=1", "output_dir=first").exit_code == 0
    precious = Path("precious")
    precious.mkdir()
    for number, victim in enumerate((f"local://{precious.resolve()}", str(precious), "other.ckpt")):
        Path("other.ckpt").touch()
        checkpoint = torch.load("first/checkpoints/last.ckpt", weights_only=True)
        (name,) = [name for name in checkpoint["callbacks"] if name.startswith("ModelCheckpoint")]
        checkpoint["callbacks"][name] |= {"best_model_path": victim, "last_model_path": victim}
        torch.save(checkpoint, "a.ckpt")
        outcome = run(*words, "trainer.max_epochs=3", "ckpt_path=a.ckpt", f"output_dir=of_{number}")
        assert outcome.exit_code == 0, outcome.stderr
        assert precious.exists()
        assert Path("other.ckpt").exists()
        assert len(list(Path(f"of_{number}/checkpoints").glob("epoch_*.ckpt"))) == 1  # its own it does remove


def test_the_place_of_what_is_not_finite() -> None:
    assert infinite_part({"a": torch.ones(2), "b": [torch.ones(1), 3, "x", torch.arange(3)]}) is None
    assert infinite_part({"a": torch.ones(2), "b": [torch.ones(1), {3: torch.tensor([1, torch.nan])}]}) == "b.1.3"
