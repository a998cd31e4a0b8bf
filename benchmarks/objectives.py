"""Train every objective with every penalty that makes sense, for as many alternations each, and print the table.

    python benchmarks/objectives.py                                  30 epochs of 4,000 digits, three seeds
    python benchmarks/objectives.py --epochs 3 --seeds 1 --jobs 1    how long an alternation takes, one job at a time
    python benchmarks/objectives.py hinge wasserstein                some of them

Beside them everything is as the settings below say. A sweep for each objective, in `outputs/objectives/`; what is
finished is not trained again.
"""

from itertools import product
from pathlib import Path
from typing import Any

from repeated import has_diverged, mean, milliseconds, parser, result, train

OBJECTIVES = ("minimax", "non_saturating", "switch", "lsgan", "hinge", "rpgan", "wasserstein")
PENALTIES = ("none", "gradient_penalty", "r1", "r1_r2")
BATCH_SIZE = 64
SETTINGS = (
    *(
        "dataset=mnist5k",
        f"dataset.batch_size={BATCH_SIZE}",
        "gan.discriminator_steps=1",
        "gan.alternations_per_step=7",
    ),
    *("optimizer.lr=4e-4", "optimizer.betas=[0.5,0.999]", "trainer.log_every_n_steps=21"),
    *("callbacks.checkpoints=null", "callbacks.training_gif=null"),
)
"""What all have in common; the networks are those of the baseline."""


def makes_sense(objective: str, penalty: str) -> bool:
    return (objective, penalty) != ("wasserstein", "none")


def results(folder: Path, penalty: str, seeds: int) -> list[dict[str, Any]]:
    """What each seed's run ended with; its folder is named after what its sweep has several of."""
    several = [f"penalty-{penalty}+seed-{seed}" for seed in range(seeds)]
    return [result(folder / name) for name in (several if seeds > 1 else [f"penalty-{penalty}"])]


def row(objective: str, penalty: str, runs: list[dict[str, Any]]) -> str:
    """A line of the table."""
    cells = [objective, penalty, *(mean(name, runs) for name in ("frechet_distance", "coverage", "modes"))]
    cells += [f"{sum(map(has_diverged, runs))} of {len(runs)}", f"{milliseconds(BATCH_SIZE, runs):.1f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    takes = parser(__doc__, epochs=30, folder="outputs/objectives")
    takes.add_argument("objectives", nargs="*", metavar="objective", help=f"of {', '.join(OBJECTIVES)} (default: all)")
    arguments = takes.parse_args()
    if min(arguments.epochs, arguments.seeds) < 1:
        takes.error("at least one epoch of one seed is needed")
    if unknown := set(arguments.objectives) - set(OBJECTIVES):
        takes.error(f"there is no objective {unknown.pop()!r} here; there is {', '.join(OBJECTIVES)}")
    chosen = arguments.objectives or OBJECTIVES
    folder = arguments.folder / f"{arguments.epochs}_epochs_{arguments.seeds}_seeds"
    for objective in chosen:
        penalties = [penalty for penalty in PENALTIES if makes_sense(objective, penalty)]
        words = [f"objective={objective}", f"penalty={','.join(penalties)}"]
        train(folder / objective, [*SETTINGS, *words], arguments)
    print("| objective | penalty | Fréchet | coverage | classes | diverged | ms an alternation |")
    print("|---|---|---|---|---|---|---|")
    for objective, penalty in product(chosen, PENALTIES):
        if makes_sense(objective, penalty):
            print(row(objective, penalty, results(folder / objective, penalty, arguments.seeds)))


if __name__ == "__main__":
    main()
