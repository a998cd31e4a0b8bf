import torch

from gan_lightning.data.pixels import from_uint8, to_uint8

BYTES = torch.arange(256, dtype=torch.uint8)


def test_bytes_fill_the_range_and_come_back() -> None:
    scaled = from_uint8(BYTES)
    assert scaled.dtype == torch.float32
    assert scaled.min() == -1
    assert scaled.max() == 1
    assert torch.equal(to_uint8(scaled), BYTES)


def test_rounds_to_the_nearest_and_clamps() -> None:
    assert to_uint8(torch.tensor([-7.0, -1 + 0.9 / 127.5, 7.0])).tolist() == [0, 1, 255]
