"""Drawing a motif of one or several generators, and writing it in one of the forms."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from tqdm import tqdm

from gan_lightning.drawing.films import check_film, save_film
from gan_lightning.drawing.forms import ARRAYS, FILMS, PICTURE
from gan_lightning.drawing.latents import Latents
from gan_lightning.drawing.layouts import beside, enlarged
from gan_lightning.drawing.many import save_folder, save_npz
from gan_lightning.drawing.motifs import Motif, Samples
from gan_lightning.drawing.pictures import MOST_PIXELS, captioned, save_png
from gan_lightning.errors import UserError
from gan_lightning.players.protocol import takes_labels
from gan_lightning.wording import counted

TICKS, LAST_TICKS = 12, 50
"""How long a film shows a checkpoint, and the last one, in 25ths of a second."""
FRAME = 256
"""Pixels that the shorter side of a film's frame has at least, about."""
DELAY = 2
"""Seconds after which a bar is shown."""


class Artist(NamedTuple):
    """A generator, and which one it is."""

    path: Path
    """Of its checkpoint."""
    generator: nn.Module
    image_shape: Sequence[int]
    """(C, H, W) of its images."""
    classes: Sequence[int]
    """Those that are drawn, if it takes labels."""


def check_alike(artists: Sequence[Artist]) -> None:
    """See that several generators can be shown the same latents, and their images side by side.

    Raises:
        UserError: if they cannot.
    """
    latents = [tuple(Latents(artist.generator, seed=0).draw(1).shape[1:]) for artist in artists]
    for artist, latent in zip(artists, latents, strict=True):
        for what, shapes in (
            ("images", (tuple(artists[0].image_shape), tuple(artist.image_shape))),
            ("latents", (latents[0], latent)),
        ):
            if shapes[0] != shapes[1]:
                one, other = (" × ".join(map(str, shape)) for shape in shapes)
                raise UserError(
                    f"{artists[0].path} and {artist.path} cannot be shown side by side, from the same latents: the"
                    f" {what} of the one are {one}, those of the other {other}"
                )


def check_size(motif: Motif, artists: Sequence[Artist], output: Path, form: str) -> None:
    """See that a form can hold what it is to show.

    Raises:
        UserError: if it cannot.
    """
    is_film, moves = form in FILMS, motif.num_frames > 1
    if is_film and not moves and len(artists) == 1:
        raise UserError(f"{output} is a film, in which nothing would move; take a walk, walk=8, or several checkpoints")
    _, height, width = artists[0].image_shape
    shown = (motif.num_shown if is_film else motif.num_images) * (1 if is_film and not moves else len(artists))
    pixels = shown * (height + 2) * (width + 2)
    one_by_one = not is_film and form != PICTURE and isinstance(motif, Samples)
    if pixels > MOST_PIXELS and not one_by_one:
        right = "a folder or an .npz takes any number of samples" if isinstance(motif, Samples) else "draw fewer"
        raise UserError(
            f"{counted(shown, 'image')} of {height} × {width} are too many for a picture, of at most"
            f" {MOST_PIXELS:,} pixels; {right}"
        )
    if is_film:
        check_film(form, motif.num_frames if moves else len(artists), max(pixels, FRAME**2))


def write(motif: Motif, artists: Sequence[Artist], output: Path, form: str) -> str:
    """Draw and write, with a bar where it takes long; of several generators pictures side by side, or, in a film in
    which nothing else moves, one after the other.

    Returns:
        What was written, in words.
    """
    what = str(motif)
    if form == PICTURE:
        bar = tqdm(artists, unit="checkpoint", delay=DELAY, leave=False)
        save_png(_beside([motif.picture(artist.generator) for artist in bar], artists), output)
        return what
    if form in FILMS:
        moves = motif.num_frames > 1
        lasting = [1] * motif.num_frames if moves else [TICKS] * (len(artists) - 1) + [LAST_TICKS]
        frames = _moving(motif, artists) if moves else _one_after_the_other(motif, artists)
        save_film(output, tqdm(frames, total=len(lasting), unit="frame", delay=DELAY, leave=False), lasting)
        return f"{counted(len(lasting), 'frame')} of {what}"
    (artist,) = artists
    labelled = takes_labels(artist.generator)
    if form == ARRAYS:
        save_npz(output, _batches(motif, artist), (motif.num_images, *artist.image_shape), labelled)
    else:
        save_folder(output, _batches(motif, artist), motif.num_images, labelled)
    return what


def _batches(motif: Motif, artist: Artist) -> Iterator[tuple[Tensor, Tensor]]:
    with tqdm(total=motif.num_images, unit="image", unit_scale=True, delay=DELAY, leave=False) as bar:
        for images, labels in motif.images(artist.generator):
            yield images, labels
            bar.update(len(images))


def _moving(motif: Motif, artists: Sequence[Artist]) -> Iterator[Tensor]:
    for pictures in zip(*(motif.frames(artist.generator) for artist in artists), strict=True):
        yield _beside([enlarged(picture, FRAME) for picture in pictures], artists)


def _one_after_the_other(motif: Motif, artists: Sequence[Artist]) -> Iterator[Tensor]:
    captions = names([artist.path for artist in artists])
    for artist, caption in zip(artists, captions, strict=True):
        yield captioned(enlarged(motif.picture(artist.generator), FRAME), caption)


def _beside(pictures: Sequence[Tensor], artists: Sequence[Artist]) -> Tensor:
    if len(artists) == 1:
        return pictures[0]
    captions = names([artist.path for artist in artists])
    return beside([captioned(picture, name) for picture, name in zip(pictures, captions, strict=True)])


def names(paths: Sequence[Path]) -> list[str]:
    """What tells several paths apart: the parts of each that the others do not all have, without suffixes."""
    parts = [path.with_suffix("").parts for path in paths]
    common = set.intersection(*map(set, parts))
    return [
        "/".join(part for part in each if part not in common) or str(path)
        for each, path in zip(parts, paths, strict=True)
    ]


def save_comparison(path: Path, images: Sequence[tuple[str, Tensor]]) -> None:
    """Write images (C, H, W), bytes, side by side, enlarged, each below what is said of it."""
    shown = [
        captioned(enlarged(image.expand(3, -1, -1) if len(image) == 1 else image, FRAME), said)
        for said, image in images
    ]
    save_png(beside(shown), path)
