"""Several generators together: what they must have in common, and what they are called."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from gan_lightning.drawing.motifs import Artist, Plane, Samples, Walk
from gan_lightning.drawing.pictures import CAPTION, captioned
from gan_lightning.drawing.writing import check_alike, names, write
from gan_lightning.errors import UserError
from gan_lightning.networks.mlp import Generator

SHAPE = (1, 6, 4)


def artist(name: str, latent_dim: int = 5, shape: tuple[int, int, int] = SHAPE, conditional: bool = False) -> Artist:
    torch.manual_seed(0)
    generator = Generator(shape, latent_dim, hidden_dims=[8], conditional=conditional, num_classes=3)
    return Artist(Path(name), generator, shape, range(3))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["run/checkpoints/epoch_0010.ckpt", "run/checkpoints/last.ckpt"], ["epoch_0010", "last"]),
        (["s/0_lr=1/checkpoints/last.ckpt", "s/1_lr=2/checkpoints/last.ckpt"], ["0_lr=1", "1_lr=2"]),
        (["a/b/last.ckpt", "b/a/last.ckpt"], ["a/b/last.ckpt", "b/a/last.ckpt"]),
    ],
)
def test_what_tells_checkpoints_apart(paths: list[str], expected: list[str]) -> None:
    assert names([Path(path) for path in paths]) == expected


def test_what_generators_must_have_in_common() -> None:
    check_alike([artist("a"), artist("b", conditional=True)])
    with pytest.raises(UserError, match="the latents of the one are 5, those of the other 7"):
        check_alike([artist("a"), artist("b", latent_dim=7)])
    with pytest.raises(UserError, match="the images of the one are 1 × 6 × 4, those of the other 3 × 6 × 4"):
        check_alike([artist("a"), artist("b", shape=(3, 6, 4))])


def test_a_caption_stands_above_the_picture_and_is_cut_where_it_is_long() -> None:
    picture = torch.randint(0, 255, (3, 5, 300), dtype=torch.uint8)
    framed = captioned(picture, "epoch_0010")
    assert torch.equal(framed[:, CAPTION:], picture)
    assert (framed[:, :CAPTION] == 0).any()
    assert framed.shape == (3, CAPTION + 5, 300)
    long, cut = (captioned(picture[:, :, :2], "x" * number) for number in (1000, 41))
    assert torch.equal(long[:, :CAPTION], cut[:, :CAPTION])


@pytest.mark.parametrize("conditional", [True, False])
def test_a_walk_is_the_same_as_a_strip_and_as_a_film(conditional: bool) -> None:
    one = artist("a", conditional=conditional)
    walks = [Walk(one, 3, 4, 5, 0, None, closed=closed) for closed in (True, False)]
    strip = torch.cat([images for images, _ in walks[1].images()]).unflatten(0, (5, 9))
    film = [*walks[0].frames()]
    assert len(film) == walks[0].num_frames == 12
    for moment in range(8):
        first = film[moment][:1, 2:8, 2:6]
        assert (first.int() - strip[0, moment].int()).abs().max() <= 1  # batches of other sizes


def test_walks_do_not_depend_on_how_many_are_drawn_at_a_time() -> None:
    one = artist("a", conditional=True)
    together, few = (Walk(one, 3, 4, 5, 0, 0.9, closed=False) for _ in range(2))
    few.at_once = 16
    for whole, parts in zip(
        *(map(torch.cat, zip(*walk.images(), strict=True)) for walk in (together, few)), strict=True
    ):
        assert (whole.int() - parts.int()).abs().max() <= 1


def test_a_planes_corners_are_the_first_samples_of_its_seeds() -> None:
    one = artist("a")
    ((images, _),) = Plane(one, [4, 5, 6, 7], 3, None).images()
    for corner, seed in zip((0, 3, 12, 15), (4, 5, 6, 7), strict=True):
        ((samples, _),) = Samples(one, 20, seed, None).images()
        assert (images[corner].int() - samples[0].int()).abs().max() <= 1


def test_of_several_a_picture_shows_all_and_a_film_one_after_the_other(tmp_path: Path) -> None:
    several = [artist("run/a.ckpt"), artist("run/b.ckpt"), artist("run/c.ckpt")]
    motifs = [Samples(each, 4, 0, None) for each in several]
    assert write(motifs, tmp_path / "x.png", ".png") == "4 samples"
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (3 * 14 + 2 * 8, 18 + 18)
    assert write(motifs, tmp_path / "x.gif", ".gif") == "3 frames of 4 samples"


def test_a_conditional_generator_beside_another_draws_its_own_classes(tmp_path: Path) -> None:
    several = [artist("run/a.ckpt"), artist("run/a_long_name.ckpt", conditional=True)]
    motifs = [Samples(each, 9, 0, None) for each in several]
    labels = [torch.cat([some for _, some in motif.images()]).tolist() for motif in motifs]
    assert labels == [[0] * 9, [0, 0, 0, 1, 1, 1, 2, 2, 2]]
    write(motifs, tmp_path / "x.mp4", ".mp4")  # its frames are of one size
