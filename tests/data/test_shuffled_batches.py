import pytest
import torch
from torch import Tensor

from gan_lightning.data.shuffled_batches import ResumableLoader, ShuffledBatches


def epoch(sampler: ShuffledBatches, number: int) -> list[list[int]]:
    sampler.set_epoch(number)
    return [batch for batches in sampler for batch in batches.tolist()]


def order(sampler: ShuffledBatches, number: int) -> list[int]:
    return [index for batch in epoch(sampler, number) for index in batch]


def test_an_epoch_is_one_pass_over_all_images() -> None:
    batches = epoch(ShuffledBatches(10, batch_size=4), 0)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(index for batch in batches for index in batch) == list(range(10))


def test_seed_and_epoch_decide_the_order() -> None:
    orders = [tuple(order(ShuffledBatches(50, 50, seed=seed), e)) for seed in range(4) for e in range(4)]
    assert len(set(orders)) == 16
    again = ShuffledBatches(50, 50, seed=2)
    assert tuple(order(again, 3)) == orders[2 * 4 + 3]
    assert tuple(order(again, 1)) == orders[2 * 4 + 1]  # whatever came before


def test_length_is_what_is_drawn() -> None:
    for num_images in range(1, 13):
        for min_batch_size in (1, 2, 3):
            sampler = ShuffledBatches(num_images, batch_size=4, min_batch_size=min_batch_size)
            parts = list(sampler)
            assert len(parts) == len(sampler)
            assert all(part.shape[0] == 1 and part.shape[1] >= min_batch_size for part in parts)


def test_ranks_share_the_images_without_overlap() -> None:
    parts = [order(ShuffledBatches(11, 4, rank=rank, world_size=2), 0) for rank in range(2)]
    assert [len(part) for part in parts] == [5, 5]
    assert len({*parts[0], *parts[1]}) == 10


@pytest.mark.parametrize(
    ("batches_at_once", "shapes"), [(1, 5 * [(1, 4)]), (2, [(2, 4), (2, 4), (1, 4)]), (9, [(5, 4)])]
)
@pytest.mark.parametrize("rest", [0, 2])
def test_batches_come_several_at_once_and_a_smaller_last_one_alone(
    batches_at_once: int, shapes: list[tuple[int, int]], rest: int
) -> None:
    one_by_one = ShuffledBatches(20 + rest, 4)
    together = ShuffledBatches(20 + rest, 4, batches_at_once=batches_at_once)
    assert [tuple(part.shape) for part in together] == shapes + [(1, rest)] * (rest > 0)
    assert len(together) == len(shapes) + (rest > 0)
    assert epoch(together, 3) == epoch(one_by_one, 3)
    drawn = [together.num_batches(number) for number in range(len(together) + 1)]
    assert drawn == [sum(len(part) for part in list(together)[:number]) for number in range(len(together) + 1)]


@pytest.mark.parametrize("batches_at_once", [1, 2])
@pytest.mark.parametrize("drawn", [0, 1, 2])
def test_a_loader_goes_on_where_its_state_was_taken(drawn: int, batches_at_once: int) -> None:
    def loader() -> ResumableLoader:
        sampler = ShuffledBatches(22, 4, batches_at_once=batches_at_once)
        return ResumableLoader(torch.arange(22), -torch.arange(22), sampler)

    first = loader()
    first.sampler.set_epoch(7)
    batches: list[Tensor] = [batch for batch, _ in first]
    first.sampler.set_epoch(7)
    iterator = iter(first)
    for _ in range(drawn):
        next(iterator)
    second = loader()
    if drawn:
        second.load_state_dict(first.state_dict())
    second.sampler.set_epoch(7)
    rest = list(second)
    assert [batch.tolist() for batch, _ in rest] == [b.tolist() for b in batches[drawn:]]
    assert all(torch.equal(labels, -images) for images, labels in rest)
    second.sampler.set_epoch(8)
    assert len(list(second)) == len(second)  # the next epoch is whole again


def test_iterating_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    list(ResumableLoader(torch.arange(10), torch.arange(10), ShuffledBatches(10, 4)))
    assert torch.equal(torch.get_rng_state(), before)
