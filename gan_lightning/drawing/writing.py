"""Drawing a motif of one or several generators, and writing it in one of the forms."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from gan_lightning.data.pixels import are_points
from gan_lightning.drawing.films import check_film, save_film
from gan_lightning.drawing.folder_names import folder_names
from gan_lightning.drawing.forms import ARRAYS, FILMS, FOLDER, PICTURE
from gan_lightning.drawing.latents import Latents
from gan_lightning.drawing.layouts import beside, enlarged, of_one_size
from gan_lightning.drawing.many import save_folder, save_npz
from gan_lightning.drawing.motifs import Artist, Motif, Samples
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


def check_size(motifs: Sequence[Motif], output: Path, form: str) -> None:
    """See that a form can hold what it is to show, of one generator or of several.

    Raises:
        UserError: if it cannot.
    """
    first, is_film, moves = motifs[0], form in FILMS, motifs[0].num_frames > 1
    _, height, width = first.artist.image_shape
    if form == FOLDER and are_points(first.artist.image_shape):
        raise UserError(
            f"{output} is a folder of PNGs, an image each, and {first.artist.path} draws points of the plane;"
            " a picture, .png, shows them all, arrays, .npz, hold them"
        )
    each = [motif.num_shown if is_film else motif.num_images for motif in motifs]
    shown = max(each) if is_film and not moves else sum(each)
    pixels = shown * (height + 2) * (width + 2)
    one_by_one = not is_film and form != PICTURE and isinstance(first, Samples)
    if pixels > MOST_PIXELS and not one_by_one:
        right = "a folder or an .npz takes any number of samples" if isinstance(first, Samples) else "draw fewer"
        raise UserError(
            f"{counted(shown, 'image')} of {height} × {width} are too many for a picture, of at most"
            f" {MOST_PIXELS:,} pixels; {right}"
        )
    if is_film:
        check_film(form, first.num_frames if moves else len(motifs), max(pixels, FRAME**2))


def write(motifs: Sequence[Motif], output: Path, form: str) -> str:
    """Draw and write, with a bar where it takes long; of several generators pictures side by side, or, in a film in
    which nothing else moves, one after the other.

    Returns:
        What was written, in words.
    """
    first = motifs[0]
    if form == PICTURE:
        bar = tqdm(motifs, unit="checkpoint", delay=DELAY, leave=False)
        save_png(_beside([motif.picture() for motif in bar], motifs), output)
        return str(first)
    if form in FILMS:
        moves = first.num_frames > 1
        lasting = [1] * first.num_frames if moves else [TICKS] * (len(motifs) - 1) + [LAST_TICKS]
        frames = _side_by_side(motifs) if moves else _one_after_the_other(motifs)
        save_film(output, tqdm(frames, total=len(lasting), unit="frame", delay=DELAY, leave=False), lasting)
        return f"{counted(len(lasting), 'frame')} of {first}"
    labelled = takes_labels(first.artist.generator)
    if form == ARRAYS:
        save_npz(output, _batches(first), (first.num_images, *first.artist.image_shape), labelled)
    else:
        folders = folder_names(first.classes, first.artist.class_names) if labelled else {}
        save_folder(output, _batches(first), first.num_images, folders)
    return str(first)


def _batches(motif: Motif) -> Iterator[tuple[Tensor, Tensor]]:
    with tqdm(total=motif.num_images, unit="image", unit_scale=True, delay=DELAY, leave=False) as bar:
        for images, labels in motif.images():
            yield images, labels
            bar.update(len(images))


def _side_by_side(motifs: Sequence[Motif]) -> Iterator[Tensor]:
    for pictures in zip(*(motif.frames() for motif in motifs), strict=True):
        yield _beside([enlarged(picture, FRAME) for picture in pictures], motifs)


def _one_after_the_other(motifs: Sequence[Motif]) -> Iterator[Tensor]:
    pictures = zip(motifs, names([motif.artist.path for motif in motifs]), strict=True)
    # All at once, for their sizes: a class a row needs another than a grid, and a long name widens a small one.
    yield from of_one_size([captioned(enlarged(motif.picture(), FRAME), name) for motif, name in pictures])


def _beside(pictures: Sequence[Tensor], motifs: Sequence[Motif]) -> Tensor:
    if len(motifs) == 1:
        return pictures[0]
    captions = names([motif.artist.path for motif in motifs])
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
