"""What a training has told of itself so far: some callbacks write it down, others read it."""


class History:
    """The numbers of a training, as a GAN holds them for its callbacks.

    Attributes:
        points: the training's statistics, a point every so many alternations: `alternation`, `epoch` (counted from 1),
            `images_per_second` (real images), and whatever the training steps returned, by name.
        evaluations: the metrics of each evaluation, by the epoch that it ended, counted from 1.
    """

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self.evaluations: dict[int, dict[str, float]] = {}

    def last_epoch(self) -> dict[str, float]:
        """The means over the last epoch's points of the numbers that they all have."""
        last = [point for point in self.points if point["epoch"] == self.points[-1]["epoch"]]
        shared = set.intersection(*map(set, last)) - {"alternation", "epoch"}
        names = [name for name in last[-1] if name in shared]
        return {name: sum(point[name] for point in last) / len(last) for name in names}

    def last_evaluation(self) -> dict[str, float]:
        """The metrics of the last evaluation; empty if there was none."""
        return self.evaluations[max(self.evaluations)] if self.evaluations else {}
