"""What players say of places in the plane."""

import math

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.objectives import NonSaturating, RelativisticPairing
from gan_lightning.players.places import answers, leaning, pushes

CPU = torch.device("cpu")


class Slope(nn.Module):
    """The logit rises by two to the right, and by one a class."""

    conditional = True

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        return 2 * points[:, 0, 0, 0] + labels


def test_an_answer_is_the_mean_over_the_classes() -> None:
    places = torch.tensor([[0.0, 0.0], [1.0, 5.0]])[:, :, None, None]
    assert answers(Slope(), places, num_classes=3, device=CPU).tolist() == [1, 3]


def test_log_odds_lean_as_their_probability_and_scores_beside_one_another() -> None:
    logits = torch.tensor([-1e9, 0.0, math.log(3), 1e9])
    torch.testing.assert_close(leaning(logits, True, torch.tensor(7.0)), torch.tensor([-1, 0, 0.5, 1.0]))
    scores = torch.tensor([1.0, 2.0, 6.0])
    for scale in (1, 1000):
        found = leaning(scale * scores, False, scale * torch.tensor(2.0))
        torch.testing.assert_close(found, torch.tensor([-0.25, 0, 1]))
    assert leaning(torch.ones(2), False, torch.tensor(1.0)).tolist() == [0, 0]


@pytest.mark.parametrize("objective", [NonSaturating(), RelativisticPairing()])
def test_points_are_pushed_to_where_g_would_lose_less(objective: NonSaturating | RelativisticPairing) -> None:
    torch.manual_seed(0)
    real, generated = torch.rand(2, 6, 2, 1, 1).unbind()
    labels = torch.zeros(6, dtype=torch.long)
    found = pushes(objective.generator_loss, Slope(), real, generated, labels, CPU)
    assert found.shape == generated.shape
    assert (found[:, 0] > 0).all()
    assert (found[:, 1] == 0).all()
    alone = torch.cat([  # a mean's gradient is one nth, which is made up for
        pushes(objective.generator_loss, Slope(), *(each[n : n + 1] for each in (real, generated, labels)), CPU)
        for n in range(6)
    ])  # fmt: skip
    torch.testing.assert_close(found, alone)
