"""Bad input: one clear line, an exit code other than 0, and nothing left behind that looks finished."""

import shlex
from pathlib import Path

import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, weights

from gan_lightning.cli import user_mistakes
from gan_lightning.errors import UserError


def the_one_line(outcome: object) -> str:
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.stdout + outcome.stderr
    lines = outcome.stderr.strip().splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


MISTAKES = {
    "unknown data set": (
        ["dataset=mnits"],
        "no dataset called 'mnits'; there is cifar10, fashion_mnist, mnist, mnist5k",
    ),
    "unknown option": (["objective=wgan"], "no objective called 'wgan'; there is hinge, lsgan, minimax, non_sat"),
    "unknown experiment": (["experiment=nope"], "no experiment called 'nope'; there is first_run"),
    "unknown group": (["datasett=mnist"], "no setting 'datasett'; did you mean dataset"),
    "unknown key": (["optimizer.lrr=1"], "no setting 'optimizer.lrr'; did you mean optimizer.lr"),
    "far from any key": (["zzzzzz=1"], "no setting 'zzzzzz'; --help lists"),
    "new key in an object": (["+gan.foo=1"], "foo"),
    "not an override": (["dataset"], "dataset"),
    "k of 0": (["gan.discriminator_steps=0"], "discriminator_steps must be a whole number of at least 1, not 0"),
    "k of -1": (["gan.discriminator_steps=-1"], "discriminator_steps must be a whole number of at least 1, not -1"),
    "batches": (["gan.discriminator_batches=old"], "discriminator_batches must be reuse or fresh, not 'old'"),
    "batch of 0": (["dataset.batch_size=0"], "batch_size must be a whole number of at least 1, not 0"),
    "batch too large": (["dataset.batch_size=5000"], "batch_size is 5000, but MNIST5k has only 4000"),
    "learning rate": (["optimizer.lr=-1e-4"], "optimizer.generator.lr must be a number of at least 0, not -0.0001"),
    "one learning rate": (
        ["optimizer.discriminator.lr=-1"],
        "optimizer.discriminator.lr must be a number of at least 0, not -1",
    ),
    "learning rate in words": (
        ["optimizer.lr=fast"],
        "optimizer.generator.lr must be a number of at least 0, not 'fast'",
    ),
    "dropout": (
        ["model.discriminator.dropout=1.5"],
        "model.discriminator: dropout probability has to be between 0 and 1",
    ),
    "latent_dim": (["model.latent_dim=0"], "latent_dim must be a whole number of at least 1, not 0"),
    "pieces": (["model.discriminator.maxout_pieces=0"], "pieces must be a whole number of at least 1, not 0"),
    "switch": (
        ["objective.switch_epoch=-1"],
        "objective: switch_epoch (unless null) must be a whole number",
    ),
    "epochs": (["trainer.max_epochs=-7"], "trainer.max_epochs must be a whole number of at least 1, not -7"),
    "no epochs": (["trainer.max_epochs=0"], "trainer.max_epochs must be a whole number of at least 1, not 0"),
    "no batches": (["trainer.limit_train_batches=0"], "trainer.limit_train_batches must be a share"),
    "fp16": (["trainer.precision=16-mixed"], "trainer.precision must be 32-true or bf16-mixed"),
    "a small share": (
        ["trainer.limit_train_batches=0.001"],
        "limit_train_batches=0.001 is less than one training step",
    ),
    "a share in words": (["trainer.limit_train_batches=all"], "trainer.limit_train_batches must be a share"),
    "float64": (["trainer.precision=64-true"], "trainer.precision must be 32-true or bf16-mixed"),
    "no group": (["objective=null"], "Config group override must be a string or a list"),
    "no statistics": (["~callbacks.statistics"], "leave it in"),
    "no folder": (["output_dir="], "output_dir is empty"),
    "infinite rate": (["optimizer.lr=inf"], "optimizer.generator.lr must be a number of at least 0, not inf"),
    "true rate": (["optimizer.lr=true"], "optimizer.generator.lr must be a number of at least 0, not True"),
    "width": (["model.generator.hidden_dims=[0]"], "each of hidden_dims must be a whole number of at least 1, not 0"),
    "other width": (["model.discriminator.maxout_dim=0"], "the width of a Maxout layer must be a whole number"),
    **{
        key: ([f"{key}={value}"], f"{key.rpartition('.')[2]} must be a ")
        for key, value in (
            ("model.generator.negative_slope", "abc"),
            ("model.discriminator.negative_slope", "abc"),
            ("model.discriminator.dropout", "nan"),
            ("trainer.log_every_n_steps", "abc"),
            ("callbacks.samples.seed", "abc"),
            ("callbacks.real_and_fake.seed", "1e23"),
            ("callbacks.progress_bar.refresh_rate", "abc"),
            ("callbacks.training_gif.seconds", "abc"),
        )
    },
    "scale": (["objective=non_saturating", "objective.discriminator_scale=x"], "discriminator_scale must be a number"),
    "decay": (
        ["optimizer=goodfellow_sgd", "optimizer.scheduler.decay=0"],
        "decay must be a number of at least 1",
    ),
    "clipping": (["+trainer.gradient_clip_val=1"], "trainer.gradient_clip_val is not for two players"),
    "seed": (["seed=-1"], "seed must be a whole number of at least 0, not -1"),
    "no seed": (["seed=null"], "seed must be a whole number of at least 0, not None"),
    "seed of latents": (["gan.seed=-1"], "seed must be a whole number of at least 0, not -1"),
    "no pictures": (["callbacks.real_and_fake.num_samples=0"], "num_samples must be a whole number of at least 1"),
    "no optimizer": (["optimizer.generator=null"], "optimizer.generator.lr must be a number"),
    "interpolation": (["optimizer.lr=${nope}"], "nope"),
    "quotes in a key": (["optimizer.lrr='a'"], "no setting 'optimizer.lrr'; did you mean optimizer.lr"),
    "key of another option": (
        ["model=goodfellow", "model.discriminator.input_dropot=0.1"],
        "did you mean model.discriminator.input_dropout",
    ),
    "no such checkpoint": (["ckpt_path=nowhere.ckpt"], "there is no checkpoint at nowhere.ckpt"),
    "a folder": (["ckpt_path=."], "there is no checkpoint at ."),
    "no constraint": (["objective=wasserstein"], "choose penalty=gradient_penalty (or r1, r1_r2), or objective=hinge"),
    "unknown penalty": (["penalty=r2"], "no penalty called 'r2'; there is gradient_penalty, none, r1, r1_r2"),
    "strength": (["penalty=r1", "penalty.gamma=-1"], "penalty: gamma must be a number of at least 0, not -1"),
    "weight": (["penalty=gradient_penalty", "penalty.weight=x"], "penalty: weight must be a number of at least 0"),
    "schedule": (
        ["penalty=r1", "penalty.gamma={_target_: gan_lightning.schedules.Cosine, first: 1, last: 0, images: 0}"],
        "penalty.gamma: images must be a number of at least 1, not 0",
    ),
    "half-life": (["gan.ema.half_life=-5"], "half_life (unless null) must be a number of at least 0, not -5"),
    "operation": (
        ["augmentation=diffaugment", "augmentation.operations=[flip]"],
        "operations must be a list of some of",
    ),
    "a switch of two kinds": (
        ["objective@objective.after=hinge"],
        "those of NonSaturating are log-odds, those of Hinge scores",
    ),
    "no such objective": (
        ["objective.after._target_=gan_lightning.objectives.Nothing"],
        "objective.after: Error loading 'gan_lightning.objectives.Nothing'",
    ),
    "two schedules": (
        [
            "optimizer=goodfellow_sgd",
            "optimizer.lr={_target_: gan_lightning.schedules.Cosine, first: 1, last: 0, images: 9}",
        ],
        "would undo each other",
    ),
    "beta of more than 1": (
        ["optimizer.betas=[{_target_: gan_lightning.schedules.Cosine, first: 0.9, last: 1.5, images: 9}, 0.9]"],
        "Invalid beta parameter",
    ),
    "no GPU": (["trainer=gpu"], "no GPU"),
    "no GPUs": (["trainer=ddp"], "no GPU"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line(mistake: str, run: Run) -> None:
    if "GPU" in mistake and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    overrides, expected = MISTAKES[mistake]
    folder = [] if overrides == ["output_dir="] else ["output_dir=outputs/run"]
    assert expected in the_one_line(run(*folder, *overrides))
    assert not Path("outputs").exists()


def test_files_that_are_no_checkpoints(run: Run) -> None:
    Path("text.ckpt").write_text("not a checkpoint")
    torch.save({"state_dict": {}, "hyper_parameters": {"lr": 1}}, "foreign.ckpt")
    torch.save([1, 2], "list.ckpt")
    torch.save({"hyper_parameters": [1]}, "other.ckpt")
    assert "text.ckpt is not a checkpoint, or it is damaged" in the_one_line(run("ckpt_path=text.ckpt"))
    for path in ("foreign.ckpt", "list.ckpt", "other.ckpt"):
        assert f"{path} is not a checkpoint of this project" in the_one_line(run(f"ckpt_path={path}"))


def test_a_truncated_checkpoint(run: Run) -> None:
    assert run(*SHORT, "trainer.max_epochs=1").exit_code == 0
    whole = Path("run/checkpoints/last.ckpt").read_bytes()
    Path("half.ckpt").write_bytes(whole[: len(whole) // 2])
    assert "half.ckpt is not a checkpoint, or it is damaged" in the_one_line(run(*SHORT, "ckpt_path=half.ckpt"))


def test_resuming_with_other_settings_or_without_epochs_to_go(run: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    before = weights("run/checkpoints/last.ckpt")
    resume = (*SHORT, "ckpt_path=run/checkpoints/last.ckpt")
    line = the_one_line(run(*resume, "optimizer.lr=1e-3", "model.latent_dim=7"))
    assert "optimizer.lr (0.0001, now 0.001)" in line
    assert "model.generator.latent_dim (100, now 7)" in line
    line = the_one_line(run(*resume, "trainer.max_epochs=1"))
    assert "already has 1 epochs" in line
    assert "trainer.max_epochs=2" in line
    assert_same_weights(before, weights("run/checkpoints/last.ckpt"))


def test_a_finished_run_is_not_overwritten(run: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    results = Path("run/metrics.json").read_text()
    assert "run already holds a run" in the_one_line(run(*SHORT, "trainer.max_epochs=1", "seed=5"))
    assert Path("run/metrics.json").read_text() == results


def test_a_resumed_run_does_not_overwrite_another(run: Run) -> None:
    for folder in ("one", "two"):
        run(*SHORT, "trainer.max_epochs=1", f"output_dir={folder}")
    resume = (*SHORT, "trainer.max_epochs=2", "ckpt_path=one/checkpoints/last.ckpt")
    assert "two already holds a run" in the_one_line(run(*resume, "output_dir=two"))
    assert run(*resume, "output_dir=three").exit_code == 0
    assert {path.name for path in Path("three/samples").iterdir()} == {"epoch_0002.png"}
    assert not Path("one/samples/epoch_0002.png").exists()


def test_the_folder_one_stands_in_is_left_alone(run: Run) -> None:
    the_one_line(run("gan.discriminator_steps=0"))
    the_one_line(run("gan.discriminator_steps=0", "output_dir=a/b/c"))
    assert Path.cwd().exists()
    assert not list(Path.cwd().iterdir())


def test_folders_that_the_user_made_are_left_alone(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("mine") / "empty"
    mine.mkdir()
    the_one_line(run("gan.discriminator_steps=0", f"output_dir={mine}/run"))
    assert mine.exists()


@pytest.mark.parametrize("name", ["a,b", "a=b", "(a) [b]", "it's", "ü"])
def test_a_folder_of_any_name_and_the_command_that_goes_on_in_it(name: str, run: Run) -> None:
    quoted = name.replace("'", r"\'")
    outcome = run(*SHORT[:-1], "trainer.max_epochs=1", f"output_dir='out/{quoted}'")
    assert outcome.exit_code == 0, outcome.stderr
    words = shlex.split(outcome.stdout.splitlines()[-1].partition("gan_lightning.train ")[2])
    assert run(*words).exit_code == 0
    assert Path(f"out/{name}/samples/epoch_0002.png").exists()


def test_of_two_runs_that_want_a_folder_one_gets_it(run: Run) -> None:
    """Also before either of them has a checkpoint: the folder is claimed as training begins."""
    with pytest.raises(RuntimeError, match="plug"):
        run(*SHORT, "trainer.max_epochs=1", "+callbacks.plug={_target_: plugs.Crash, after: 1}")
    line = the_one_line(run(*SHORT, "trainer.max_epochs=1"))
    assert "run already holds a run" in line
    assert "ckpt_path" not in line  # there is none to go on from


def test_a_sweep_over_several_devices_is_refused(run: Run) -> None:
    assert "one device" in the_one_line(run(*SHORT, "-m", "seed=1,2", "trainer.devices=2"))
    assert not list(Path("run").glob("*/*"))


def test_an_output_folder_that_cannot_be_written(run: Run) -> None:
    Path("file").write_text("")
    assert "cannot use" in the_one_line(run("output_dir=file/run"))


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_a_data_folder_that_cannot_be_written(dataset: str, run: Run) -> None:
    Path("file").write_text("")
    line = the_one_line(run(f"dataset={dataset}", "data_dir=file/data", "output_dir=outputs/run"))
    assert "cannot write to the data folder file/data" in line
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("dataset", "file"),
    [("mnist", "MNIST/raw/train-images-idx3-ubyte"), ("cifar10", "cifar-10-batches-py/data_batch_2")],
)
def test_a_truncated_data_file(dataset: str, file: str, run: Run, data_dir: Path) -> None:
    (data_dir / file).write_bytes((data_dir / file).read_bytes()[:100])
    line = the_one_line(run(f"dataset={dataset}", f"data_dir={data_dir}", "output_dir=outputs/run"))
    assert f"{data_dir / file} is damaged" in line
    assert not Path("outputs").exists()


def test_the_traceback_on_request(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(UserError):
        run("gan.discriminator_steps=0")


def test_what_an_object_refuses_is_the_users_mistake_but_an_interruption_is_not() -> None:
    with pytest.raises(UserError, match=r"^too small$"), user_mistakes():
        raise ValueError("too\nsmall")
    with pytest.raises(KeyboardInterrupt), user_mistakes():
        raise KeyboardInterrupt


def test_help_names_groups_and_keys(run: Run) -> None:
    outcome = run("--help")
    assert outcome.exit_code == 0
    for group in ("dataset", "model", "objective", "optimizer", "trainer", "callbacks", "logger", "experiment"):
        assert f"\n{group}: " in outcome.stdout
    for key in (
        "dataset.batch_size=", "trainer.max_epochs=", "optimizer.lr=", "optimizer.generator.lr=", "model.latent_dim=",
        "gan.discriminator_steps=", "gan.discriminator_batches=", "objective.switch_epoch=", "seed=", "data_dir=",
        "output_dir=", "ckpt_path=",
    ):  # fmt: skip
        assert f"  {key}" in outcome.stdout


def test_the_multirun_flag_may_stand_anywhere(run: Run) -> None:
    assert run("trainer=cpu", "-m", *SHORT, "trainer.max_epochs=1", "seed=1,2", "hydra/launcher=basic").exit_code == 0
    assert Path("run/seed-2/metrics.json").exists()


def test_any_two_objectives_can_be_the_parts_of_a_switch(run: Run) -> None:
    parts = ("objective@objective.before=hinge", "objective@objective.after=rpgan", "objective.switch_epoch=1")
    outcome = run(*SHORT, *parts, "trainer.max_epochs=2")
    assert outcome.exit_code == 0, outcome.stderr


def test_broken_yaml_is_one_line_with_its_place(run: Run) -> None:
    Path("mine/model").mkdir(parents=True)
    for content, line in (("generator:\n\t_target_: x\n", 2), ("a: 1\na: 2\n", 2)):
        Path("mine/model/broken.yaml").write_text(content)
        assert f"mine/model/broken.yaml, line {line}: " in the_one_line(run("--config-dir", "mine", "model=broken"))
