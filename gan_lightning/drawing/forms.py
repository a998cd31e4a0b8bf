"""The forms in which images are written, which the suffix of the output chooses. Nothing here takes time to import."""

from pathlib import Path

from gan_lightning.errors import UserError

PICTURE, FOLDER, ARRAYS, FILMS = ".png", "", ".npz", (".gif", ".webp", ".mp4")


def form_of(output: str) -> str:
    """The form of an output: its suffix, or nothing for a folder, which ends in /, has no suffix, or is there.

    Raises:
        UserError: if there is no such form, or something else has the name.
    """
    path = Path(output)
    form = FOLDER if output.endswith("/") or path.is_dir() else path.suffix
    if not output or form not in (PICTURE, FOLDER, ARRAYS, *FILMS):
        raise UserError(
            "output must be a picture, digits.png, a film, .gif, .webp or .mp4, arrays, .npz, or a folder of PNGs,"
            f" digits/, not {output!r}"
        )
    if form == FOLDER and path.exists():
        if not path.is_dir():
            raise UserError(f"output is {output}, which is a file; a folder of PNGs needs another name")
        if any(path.iterdir()):
            raise UserError(
                f"output is {output}, a folder that is not empty; choose another, or a file, {path / 'samples.png'}"
            )
    return form
