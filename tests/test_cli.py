"""Bad input: one clear line, an exit code other than 0, and nothing left behind that looks finished."""

import shlex
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, the_one_line, weights
from filelock import FileLock
from omegaconf import OmegaConf

from gan_lightning import __version__, evaluate, report, sample, train
from gan_lightning.errors import UserError
from gan_lightning.mistakes import user_mistakes
from gan_lightning.options import prefer_choices

# Of each kind of check one or two: what is said comes as one line that names what is wrong and what would be right.
# The checks themselves are tested beside what they check.
MISTAKES = {
    "unknown option": (["dataset=imagenet"], "'imagenet'", "mnist, mnist5k, ring"),
    "mistyped option": (["dataset=mnits"], "'mnits'", "did you mean mnist"),
    "unknown experiment": (["experiment=nope"], "'nope'", "first_run"),
    "unknown group": (["datasett=mnist"], "'datasett'", "did you mean dataset"),
    "unknown key": (["optimizer.lrr='a'"], "'optimizer.lrr'", "did you mean optimizer.lr"),
    "key of another option": (
        ["model=goodfellow", "model.discriminator.input_dropot=0.1"],
        "input_dropot",
        "did you mean model.discriminator.input_dropout",
    ),
    "far from any key": (["zzzzzz=1"], "'zzzzzz'", "--help"),
    "new key in an object": (["+gan.foo=1"], "foo", "GAN"),
    "not an override": (["dataset"], "'dataset'", "key=value"),
    "interpolation": (["optimizer.lr=${nope}"], "nope", "not found"),
    "what an object refuses": (
        ["gan.discriminator_steps=0"],
        "gan.discriminator_steps",
        "at least 1 and at most 1000, not 0",
    ),
    "what a library refuses": (["model.discriminator.dropout=1.5"], "model.discriminator: ", "between 0 and 1"),
    "an object in an object": (
        ["penalty=r1", "penalty.gamma={_target_: gan_lightning.schedules.Cosine, first: 1, last: 0, images: 0}"],
        "penalty.gamma.images",
        "at least 1",
    ),
    "no such class": (
        ["objective.after._target_=gan_lightning.objectives.Nothing"],
        "objective.after: ",
        "gan_lightning.objectives.Nothing",
    ),
    "what the data refuse": (["dataset.batch_size=5000"], "batch_size", "only 4000"),
    "last part of a key": (["lr=3"], "'lr'", "did you mean optimizer.lr=1e-4"),
    "key of an option not chosen": (["penalty.gamma=0.3"], "'penalty.gamma'", "another option of penalty"),
    "widths": (["hidden_dims=64"], "'hidden_dims'", "model.generator.hidden_dims=[512,1024]"),
    "one width": (["model.generator.hidden_dims=64"], "model.generator.hidden_dims", "[512,1024], not 64"),
    "option of Lightning's": (["trainer.max_epoch=3"], "'trainer.max_epoch'", "+trainer.max_epoch=…"),
    "quotes": (["model.generator.hidden_dims=(1)"], "hidden_dims=(1)", "quotes"),
    "learning rate": (["optimizer.lr=abc"], "optimizer.lr", "1e-4"),
    "one beta": (["optimizer.betas=[0.5]"], "optimizer.generator.betas", "[0.5,0.999], not [0.5]"),
    "no betas": (["optimizer.betas=abc"], "optimizer.generator.betas", "[0.5,0.999], not abc"),
    "large betas": (["optimizer.discriminator.betas=[2,3]"], "optimizer.discriminator.betas", "less than 1"),
    "what an optimizer refuses": (["+optimizer.generator.eps=-1"], "optimizer.generator", "-1"),
    "nothing of a group": (["dataset=null"], "dataset must be", "cifar10, fashion_mnist"),
    "no settings": (["gan=null"], "gan holds settings", "--cfg job"),
    "large seed": (["seed=4294967296"], "seed must be", "at most 4294967295"),
    "steps without end": (["gan.discriminator_steps=100000000"], "gan.discriminator_steps", "at most 1000"),
    "share above 1": (["trainer.limit_train_batches=2.0"], "trainer.limit_train_batches", "at most 1.0"),
    "schedule": (["optimizer.scheduler=cosine"], "optimizer.scheduler", "torch.optim.lr_scheduler"),
    "average": (["gan.ema=3"], "ema", "gan.ema.half_life=10000"),
    "one learning rate": (["optimizer.discriminator.lr=fast"], "optimizer.discriminator.lr", "a number"),
    "no optimizer": (["optimizer.generator=null"], "optimizer.generator", "torch.optim.Adam"),
    "epochs": (["trainer.max_epochs=0"], "trainer.max_epochs", "at least 1"),
    "steps": (["trainer.log_every_n_steps=abc"], "trainer.log_every_n_steps", "at least 1"),
    "no batches": (["trainer.limit_train_batches=0"], "trainer.limit_train_batches", "a share"),
    "a share in words": (["trainer.limit_train_batches=all"], "trainer.limit_train_batches", "a share"),
    "a small share": (["trainer.limit_train_batches=0.001"], "trainer.limit_train_batches", "one training step"),
    "fp16": (["trainer.precision=16-mixed"], "trainer.precision", "32-true, bf16-mixed or auto"),
    "clipping": (["+trainer.gradient_clip_val=1"], "trainer.gradient_clip_val", "two players"),
    "seed": (["seed=null"], "seed", "at least 0"),
    "no statistics": (["~callbacks.statistics"], "tatistics", "leave it in"),
    "no folder": (["output_dir="], "output_dir", "output_dir=."),
    "no such checkpoint": (["ckpt_path=nowhere.ckpt"], "nowhere.ckpt", "checkpoints/last.ckpt"),
    "no GPU": (["trainer=gpu"], "GPU", "GPU"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line(mistake: str, run: Run) -> None:
    if mistake == "no GPU" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    overrides, key, right = MISTAKES[mistake]
    folder = [] if overrides == ["output_dir="] else ["output_dir=outputs/run"]
    line = the_one_line(run(*folder, *overrides))
    assert key in line
    assert right in line
    assert not Path("outputs").exists()


def test_a_file_that_is_no_checkpoint(run: Run) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"lr": 1}}, "foreign.ckpt")
    assert "foreign.ckpt is not a checkpoint of this project" in the_one_line(run("ckpt_path=foreign.ckpt"))


def test_resuming_with_other_settings_or_without_epochs_to_go(finished: Path, run: Run) -> None:
    before = weights(finished / "checkpoints/last.ckpt")
    resume = (*SHORT, "ckpt_path=run/checkpoints/last.ckpt")
    line = the_one_line(run(*resume, "optimizer.lr=1e-3", "model.latent_dim=7"))
    assert "optimizer.lr (0.0001, now 0.001)" in line
    assert "model.generator.latent_dim (100, now 7)" in line
    line = the_one_line(run(*resume, "trainer.max_epochs=1"))
    assert "already has 1 epoch " in line
    assert "trainer.max_epochs=2" in line
    assert_same_weights(before, weights(finished / "checkpoints/last.ckpt"))


def test_a_finished_run_is_not_overwritten(finished: Path, run: Run) -> None:
    results = (finished / "metrics.json").read_text()
    assert "run already holds a run" in the_one_line(run(*SHORT, "trainer.max_epochs=1", "seed=5"))
    assert (finished / "metrics.json").read_text() == results


def test_a_resumed_run_does_not_overwrite_another(finished: Path, run: Run) -> None:
    for folder in ("one", "two"):
        shutil.copytree(finished, folder)
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


@pytest.mark.slow
def test_a_folder_of_any_name_and_the_command_that_goes_on_in_it(run: Run) -> None:
    name = "a,b=c (d) [e] it's ü"
    quoted = name.replace("'", r"\'")
    outcome = run(*SHORT[:-1], "trainer.max_epochs=1", f"output_dir='out/{quoted}'")
    assert outcome.exit_code == 0, outcome.stderr
    words = shlex.split(outcome.stdout.splitlines()[-1].partition("gan_lightning.train ")[2])
    assert run(*words).exit_code == 0
    assert Path(f"out/{name}/samples/epoch_0002.png").exists()


def test_of_two_processes_that_want_a_folder_one_gets_it(run: Run) -> None:
    Path("run").mkdir()
    with FileLock("run/.lock"):
        assert "another process is at work in run" in the_one_line(run(*SHORT, "trainer.max_epochs=1"))
    assert not Path("run", "config.yaml").exists()


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_anew_by_the_same_command(run: Run) -> None:
    with pytest.raises(RuntimeError, match="plug"):
        run(*SHORT, "trainer.max_epochs=1", "+callbacks.plug={_target_: plugs.Crash, after: 1}")
    line = the_one_line(run(*SHORT, "trainer.max_epochs=1", "seed=1"))
    assert "run already holds a run" in line
    assert "ckpt_path" not in line  # there is none to go on from
    left = {path.name for path in Path("run").glob("events.*")}
    assert run(*SHORT, "trainer.max_epochs=1").exit_code == 0
    assert not left & {path.name for path in Path("run").glob("events.*")}
    assert "already holds a run" in the_one_line(run(*SHORT, "trainer.max_epochs=1"))  # now it is whole


def test_a_sweep_over_several_devices_is_refused(run: Run) -> None:
    assert "one device" in the_one_line(run(*SHORT, "-m", "seed=1,2", "trainer.devices=2"))
    assert not list(Path("run").glob("*/*"))


def test_an_output_folder_that_cannot_be_written(run: Run) -> None:
    Path("file").write_text("")
    assert "cannot use" in the_one_line(run("output_dir=file/run"))


def test_a_data_folder_that_cannot_be_written(run: Run) -> None:
    Path("file").write_text("")
    line = the_one_line(run("dataset=cifar10", "data_dir=file/data", "output_dir=outputs/run"))
    assert "cannot write to the data folder file/data" in line
    assert not Path("outputs").exists()


def test_a_truncated_data_file(run: Run, data_dir: Path) -> None:
    path = data_dir / "MNIST/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:100])
    line = the_one_line(run("dataset=mnist", f"data_dir={data_dir}", "output_dir=outputs/run"))
    assert f"{path} is damaged" in line
    assert not Path("outputs").exists()


@pytest.mark.slow
def test_what_is_chosen_on_the_command_line_wins_over_an_experiment(run: Run) -> None:
    words = [
        "experiment=first_run",
        "dataset.num_train_images=200",
        "trainer.accelerator=cpu",
        "callbacks.samples=null",
    ]
    outcome = run("trainer=smoke", *words, "output_dir=run")
    assert outcome.exit_code == 0, outcome.stderr
    settings = OmegaConf.load("run/config.yaml")
    assert (settings.trainer.max_epochs, settings.trainer.limit_train_batches) == (1, 2)
    assert settings.dataset.batch_size == 64  # of the experiment still
    assert "max_epochs=2" in outcome.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("chosen", "added"),
    [
        (["trainer=gpu"], ["gan.alternations_per_step=25"]),
        (["optimizer=goodfellow_sgd"], ["optimizer.lr=0.1", "~optimizer.betas"]),
        (["optimizer=adam", "dataset=mnist", "trainer=cpu", "trainer.max_epochs=3", "model=mlp,goodfellow"], []),
    ],
)
def test_an_option_wins_in_what_it_says_other_than_the_default(chosen: list[str], added: list[str]) -> None:
    for experiment in ("first_run", "report_cifar10"):
        words = [f"experiment={experiment}", *chosen]
        wins = [each for each in added if experiment == "first_run" or each.startswith("optimizer.lr")]
        assert prefer_choices(words) == [*wins, *words]
    assert prefer_choices(chosen) == chosen
    flags = ["--config-dir", "mine"]  # which Hydra wants all overrides behind
    assert prefer_choices([*flags, "experiment=first_run", *chosen]) == [
        *flags,
        *added,
        "experiment=first_run",
        *chosen,
    ]


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


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("entry_point", [train, sample, evaluate, report])
def test_the_version(entry_point: ModuleType, run: Run) -> None:
    assert run("--version", entry_point=entry_point).stdout == f"gan-lightning {__version__}\n"


@pytest.mark.parametrize(("entry_point", "key"), [(sample, "ckpt"), (evaluate, "ckpt"), (report, "sweep")])
def test_a_path_alone(entry_point: ModuleType, key: str, run: Run) -> None:
    assert f"{key}=outputs/mine" in the_one_line(run("outputs/mine", entry_point=entry_point))


@pytest.mark.slow
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
