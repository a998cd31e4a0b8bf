import shlex

from gan_lightning.reports.command import winning_command


def test_what_made_it_a_job_of_a_sweep_is_left_out() -> None:
    overrides = [
        *("hparams_search=optuna", "hydra.sweeper.n_trials=3", "hydra/launcher=slurm", "output_dir=outputs/search"),
        *("callbacks=evaluation", "callbacks.pruning.trial=2", "+callbacks.mine._target_=mine.Mine", "~logger"),
        *("optimized_metric=fid", "ckpt_path=a.ckpt", "hydra.sweep.dir=a b", "hydra.sweep.subdir=c"),
        *("model=mlp", "optimizer.betas=[0.5,0.999]", "++optimizer.generator.lr=1e-4", "data_dir='my data'"),
    ]
    command = winning_command(overrides, 20)
    assert command.startswith("python -m gan_lightning.train model=mlp 'optimizer.betas=[0.5,0.999]' ")
    assert shlex.split(command)[3:] == [*overrides[-4:], "trainer.max_epochs=20"]


def test_the_length_is_said_once() -> None:
    command = winning_command(["trainer.max_epochs=50", "seed=1"], 50)
    assert command == "python -m gan_lightning.train seed=1 trainer.max_epochs=50"
