"""Draw from checkpoints, in many forms: `python -m gan_lightning.sample ckpt=…`; `--help` lists the settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from gan_lightning.checkpoints import (
    check_trust,
    find_checkpoints,
    has_average,
    read_checkpoint,
    training_set,
)
from gan_lightning.classes import asked_for
from gan_lightning.cli import as_list, entry_point
from gan_lightning.drawing.forms import ARRAYS, FILMS, FOLDER, PICTURE, form_of
from gan_lightning.errors import UserError, one_line, whole_number
from gan_lightning.mistakes import user_mistakes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan_lightning.drawing.motifs import Artist, Motif

WEIGHTS = {"raw": "raw, of the last step", "ema": "ema, averaged"}


@entry_point("sample")
def main(settings: DictConfig) -> None:
    """Draw of checkpoints what the settings say, in the form that the suffix of `output` says."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    output = Path(str(settings.output))
    form = form_of("" if settings.output is None else str(settings.output))
    with user_mistakes():
        _check(settings, form)
    paths = find_checkpoints(as_list(settings.ckpt))
    if len(paths) > 1 and (settings.like is not None or form in (FOLDER, ARRAYS)):
        alone = f"like={settings.like} is about one" if settings.like is not None else f"{output} is of one alone"
        raise UserError(
            f"ckpt={settings.ckpt} stands for {len(paths)} checkpoints, and {alone};"
            " a picture of samples, .png, shows several, or a film, .gif"
        )
    artists, said = [], []
    with user_mistakes():
        for path in paths:
            artist, weights, of_training = _artist(path, settings)
            artists.append(artist)
            said.append(f"of {artist.path}, weights: {WEIGHTS[weights]}")
        if settings.like is None:
            motifs = _motifs(artists, settings, output, form)
        else:
            photo = _photo(settings.like, artists[0])
    output.parent.mkdir(parents=True, exist_ok=True)
    if settings.like is None:
        from gan_lightning.drawing.writing import write  # not needed for what was mistyped

        print(f"{write(motifs, output, form)} in {output}")
    else:
        _project(photo, artists[0], of_training, settings)
    print(*said, sep="\n")


def _check(settings: DictConfig, form: str) -> None:
    """See that the settings are right in themselves, and go together.

    Raises:
        UserError, ValueError: if they do not.
    """
    whole_number("seed", settings.seed, at_least=0, at_most=2**63 - 1)
    for name in ("num_samples", "steps"):
        if settings[name] is not None:
            whole_number(f"{name} (unless null)", settings[name], at_least=1)
    chosen = [name for name in ("walk", "plane", "like") if settings[name] is not None]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} are pictures of their own; choose one of them")
    if settings.walk is not None:
        whole_number("walk, how many latents it leads through,", settings.walk, at_least=2)
    if settings.plane is not None:
        seeds = settings.plane
        right = isinstance(seeds, ListConfig) and all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds)
        if not right or len(seeds) != 4:
            raise UserError(f"plane must be the four seeds of its corners, such as [0,1,2,3], not {seeds}")
    if settings.steps is not None and settings.walk is settings.plane is None:
        raise UserError("steps are those of a walk or a plane, such as walk=8; leave them out")
    if settings.num_samples is not None and settings.plane is not None:
        raise UserError("a plane has no num_samples; steps=9 makes it ten images wide, leave num_samples out")
    if settings.like is not None:
        for name in ("num_samples", "truncation"):
            if settings[name] is not None:
                raise UserError(f"like={settings.like} looks for one image among all; leave {name} out")
        if form not in (PICTURE, ARRAYS):
            raise UserError(f"like={settings.like} gives a picture, .png, or arrays, .npz, not {settings.output}")


def _artist(path: Path, settings: DictConfig) -> "tuple[Artist, str, dict[str, Any]]":
    """A checkpoint's generator, which of its weights it has, and the settings of its training.

    Raises:
        UserError: if there is none, or it is not to be trusted, or does not take such labels.
        ValueError: if there are no such weights.
    """
    checkpoint = read_checkpoint(str(path))
    of_training = checkpoint["hyper_parameters"]
    check_trust(of_training, ["generator"], as_list(settings.trust))

    from gan_lightning.averaging import which_weights
    from gan_lightning.drawing.motifs import Artist
    from gan_lightning.loading import trained_generator

    weights = which_weights(settings.weights, has_average(checkpoint))
    generator = trained_generator(checkpoint, weights).network
    names = of_training["class_names"]
    classes = _classes(settings.labels, of_training["num_classes"], names, generator)
    artist = Artist(Path(checkpoint["path"]), generator, of_training["image_shape"], classes, names)
    return artist, weights, of_training


def _classes(labels: Any, num_classes: int, class_names: Sequence[str], generator: "nn.Module") -> Sequence[int]:
    """The classes that are to be drawn: those that are asked for, one or a list, or all for None.

    Raises:
        UserError: if there are no such, or the generator takes no labels.
    """
    from gan_lightning.players.protocol import takes_labels

    if labels is None:
        return range(num_classes)
    if not takes_labels(generator):
        raise UserError(f"labels={labels}, but this generator takes none: it draws of all classes; leave labels out")
    return asked_for(list(labels) if isinstance(labels, ListConfig) else labels, num_classes, class_names)


def _motifs(artists: "list[Artist]", settings: DictConfig, output: Path, form: str) -> "list[Motif]":
    """What is to be drawn of each.

    Raises:
        UserError: if the generators cannot draw it side by side, or the form cannot hold it.
        ValueError: if the latents cannot be truncated so.
    """
    from gan_lightning.drawing.latents import check_truncation
    from gan_lightning.drawing.motifs import Plane, Samples, Walk
    from gan_lightning.drawing.writing import check_alike, check_size

    check_alike(artists)
    truncation, seed = settings.truncation, settings.seed
    motifs: list[Motif] = []
    for artist in artists:
        check_truncation(artist.generator, truncation)
        if settings.walk is not None:
            closed = form in FILMS
            motif: Motif = Walk(artist, settings.walk, settings.steps, settings.num_samples, seed, truncation, closed)
        elif settings.plane is not None:
            motif = Plane(artist, list(settings.plane), settings.steps, truncation)
        else:
            motif = Samples(artist, settings.num_samples, seed, truncation)
        motifs.append(motif)
    if form in FILMS and len(motifs) == 1 and motifs[0].num_frames == 1:
        raise UserError(
            f"{output} is a film, in which nothing would move: ckpt={settings.ckpt} is one checkpoint,"
            f" {artists[0].path}; take a walk, walk=8, or several checkpoints"
        )
    check_size(motifs, output, form)
    return motifs


def _photo(like: Any, artist: "Artist") -> "Tensor":
    """The picture that the generator is to draw, in the shape of its images.

    Raises:
        UserError: if there is none, or the generator draws neither gray images nor colours.
    """
    from gan_lightning.data.fitting import UnreadableImageError, read_image

    channels, height, width = artist.image_shape
    if channels not in (1, 3):
        raise UserError(f"like=… compares gray images or colours; those of {artist.path} have {channels} channels")
    if not Path(str(like)).is_file():
        raise UserError(f"there is no file {like}; like=… takes a picture, such as photo.png")
    try:
        return read_image(Path(str(like)), (channels, height, width))
    except UnreadableImageError as reason:
        raise UserError(f"like={like} cannot be read: {reason}") from reason


def _project(photo: "Tensor", artist: "Artist", of_training: dict[str, Any], settings: DictConfig) -> None:
    """Find the image that is most like a picture, and the training image that is, write them, and say how near."""
    from gan_lightning.drawing.many import save_arrays
    from gan_lightning.drawing.projection import difference, nearest_of, project
    from gan_lightning.drawing.writing import save_comparison
    from gan_lightning.players.protocol import takes_labels

    found = project(artist.generator, photo, artist.classes, settings.seed)
    images = {"photo": photo, "generated": found.image}
    training = _training_images(of_training, settings)
    if training is not None:
        images["training"] = nearest_of(training, photo)
    away = {name: difference(photo, image) for name, image in images.items() if name != "photo"}
    drawn_as = f", drawn as class {int(found.label)}" if takes_labels(artist.generator) else ""
    if drawn_as and artist.class_names:
        drawn_as += f", {artist.class_names[int(found.label)]}"
    print(f"nearest generated image: {away['generated']:.1f} away{drawn_as}")
    if "training" in away:
        print(f"nearest training image: {away['training']:.1f} away")
    print("(the root of the mean square of the pixels' differences; a pixel is from 0 to 255)")
    output = Path(str(settings.output))
    if output.suffix == ARRAYS:
        save_arrays(output, {"latent": found.latent, "label": found.label, **images})
    else:
        said = {name: f"{name}, {away[name]:.1f} away" if name in away else name for name in images}
        save_comparison(output, [(said[name], image) for name, image in images.items()])
    print(f"{', '.join(images)} in {output}")


def _training_images(of_training: dict[str, Any], settings: DictConfig) -> "Tensor | None":
    """What the generator was trained on, (N, C, H, W), bytes; None where it is not to be had, and a line says why."""
    try:
        return training_set(of_training, str(settings.data_dir), as_list(settings.trust))[0]
    except UserError as reason:
        print(f"without the nearest training image: {one_line(reason)}")
        return None


if __name__ == "__main__":
    main()
