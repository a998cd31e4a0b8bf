"""The page: what stands on it, and what happens as it is used. Gradio asks for no network, and sends nothing."""

from pathlib import Path
from random import SystemRandom
from typing import Any

import gradio as gr
import torch
from markupsafe import Markup
from torch import Tensor

from gan_lightning.data.fitting import UnreadableImageError, read_image
from gan_lightning.drawing.latents import LARGEST_SEED
from gan_lightning.drawing.projection import difference
from gan_lightning.errors import UserError, one_line
from gan_lightning.exploring.explorer import REACH, Explorer, Place
from gan_lightning.exploring.markup import Shown, note, png, row, stage, strip
from gan_lightning.exploring.opened import Opened
from gan_lightning.exploring.runs import short_names
from gan_lightning.wording import counted

HERE = Path(__file__).parent
STEPS = 6
"""Of the picture of the plane: a side has one image more."""
ON_A_STRIP = 9
MOST_RADIO_BUTTONS = 20
"""More classes are chosen from a list."""
NOBODY = -1
"""The number of a run that stands for none."""
ABOUT_DIRECTIONS = (
    "Along these the generator’s first layer changes most (SeFa, Shen & Zhou 2021), by these shares of its variance;"
    f" {REACH} standard deviations each way."
)
ABOUT_DISTANCES = "By the root of the mean square of the pixels’ differences; a pixel is from 0 to 255."
ABOUT_PROJECTION = "What the generator draws that is most like it is looked for; the directions start there."
NO_DIRECTIONS = "There are none: its first layer is no linear map of the latents."
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="stone",
    radius_size="md",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="*neutral_100",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    body_text_color_subdued="*neutral_500",
    body_text_color_subdued_dark="*neutral_400",
    background_fill_secondary="*neutral_200",
    background_fill_secondary_dark="*neutral_800",
)
LOOK = {
    "theme": THEME,
    "css": (HERE / "page.css").read_text(),
    "head": '<meta name="color-scheme" content="light dark">',
}
"""What Gradio takes as it serves the page."""
AT_ONCE: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "api_visibility": "private",
}
"""For what answers while something is dragged: of what comes meanwhile, the last."""

PROGRESS = gr.Progress(track_tqdm=True)
"""Gradio shows it where a handler takes it."""


class Page:
    """The handlers of the page's events.

    Args:
        explorer: what there is to show.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.names = short_names(explorer.runs)
        self.first = explorer.last(0)
        self._shown_directions = 0 if explorer.directions is None else len(explorer.directions.shares)

    def blocks(self) -> gr.Blocks:
        """The page, which a server takes with :data:`LOOK`."""
        explorer, several = self.explorer, len(self.names) > 1
        names = [(name, number) for number, name in enumerate(self.names)]
        choosable = several or len(explorer.runs[0].checkpoints) > 1
        conditional = any(explorer.last(run).conditional for run in range(len(self.names)))
        with gr.Blocks(title="explore", analytics_enabled=False, fill_width=True) as blocks:
            place = gr.State({"across": 0.5, "down": 0.5, "start": None})
            with gr.Row(elem_id="layout"):
                with gr.Column(elem_id="left", min_width=0):
                    gr.HTML(self._heading(), elem_id="heading")
                    with gr.Column(elem_classes="card", elem_id="shown_card", min_width=0):
                        shown = gr.HTML(elem_id="shown")
                    with gr.Column(elem_classes="card", min_width=0):
                        gr.Markdown("### Nearest training images")
                        gr.HTML(note(ABOUT_DISTANCES))
                        near = gr.HTML(elem_id="near")
                with gr.Column(elem_id="right", min_width=0):
                    with gr.Row(elem_id="upper"):
                        with gr.Column(elem_classes="card", elem_id="pad_card", min_width=0, scale=5):
                            gr.Markdown("### The plane of four seeds")
                            pad = gr.HTML(
                                {},
                                html_template=(HERE / "pad.html").read_text(),
                                js_on_load=(HERE / "pad.js").read_text(),
                                elem_id="pad",
                            )
                            with gr.Row(elem_id="seeds"):
                                seeds = [
                                    gr.Number(seed, precision=0, minimum=0, label=where, min_width=0)
                                    for seed, where in enumerate("↖↗↙↘")
                                ]
                                others = gr.Button("Others", size="sm", elem_id="others")
                        with gr.Column(elem_id="side", min_width=0, scale=4):
                            with gr.Column(
                                elem_classes="card", elem_id="settings", min_width=0, visible=conditional or choosable
                            ):
                                gr.Markdown("### Class", visible=conditional)
                                label = self._classes(conditional)
                                gr.Markdown("### Checkpoint", visible=choosable)
                                run = gr.Dropdown(names, value=0, show_label=False, visible=several, elem_id="run")
                                epochs = self._epochs(0)
                                gr.Markdown("### Beside it", visible=choosable)
                                other = gr.Dropdown(
                                    [("nothing", NOBODY), *(names if several else [("another of its epochs", 0)])],
                                    value=1 if several else NOBODY,
                                    show_label=False,
                                    visible=choosable,
                                    elem_id="other",
                                )
                                other_epochs = self._epochs_beside(1 if several else NOBODY)
                            with gr.Column(elem_classes="card", elem_id="yours", min_width=0):
                                gr.Markdown("### An image of yours")
                                gr.HTML(note(ABOUT_PROJECTION))
                                upload = gr.UploadButton("Choose an image", size="sm", elem_id="upload")
                                found = gr.HTML(elem_id="found")
                    with gr.Column(elem_classes="card", elem_id="directions_card", min_width=0):
                        with gr.Row(elem_id="directions_head"):
                            gr.Markdown("### Principal directions")
                            back = gr.Button("Back to 0", size="sm", elem_id="back")
                        gr.HTML(note(ABOUT_DIRECTIONS if explorer.directions else NO_DIRECTIONS))
                        with gr.Row(elem_id="directions"):
                            strips, sliders = self._sliders()
            inputs = [place, label, run, epochs, other, other_epochs, *seeds, *sliders]
            slow = [pad, near, *strips]

            for slider in sliders:
                slider.input(self.draw, inputs, shown, **AT_ONCE)
                slider.release(self.settle, inputs, slow, **AT_ONCE)
            pad.input(self.drag, inputs, [place, shown], **AT_ONCE)
            pad.release(self.drop, inputs, [place, shown, *slow], **AT_ONCE)
            both = {"inputs": inputs, "outputs": [shown, *slow], **AT_ONCE}
            for setting in (label, epochs, other_epochs, *seeds):
                setting.input(self.both, **both)
            for chosen, redrawn, of_it in ((run, self._epochs, epochs), (other, self._epochs_beside, other_epochs)):
                chosen.input(redrawn, chosen, of_it, **AT_ONCE).then(self.both, **both)
            back.click(lambda: [0] * len(sliders), None, sliders, **AT_ONCE).then(self.both, **both)
            others.click(_other_seeds, place, [place, *seeds], **AT_ONCE).then(self.both, **both)
            upload.upload(
                self.project, [upload, run, epochs], [found, place, label, *sliders], show_progress_on=found,
                api_visibility="private",
            ).then(self.both, **both)  # fmt: skip
            blocks.load(self.both, **both)
        return blocks

    def _heading(self) -> str:
        first = self.explorer.runs[0].name if len(self.explorer.runs) == 1 else f"{len(self.explorer.runs)} runs"
        of = str(self.first.settings["dataset"].get("_target_")).rpartition(".")[2]
        size = self.explorer.latent(Place([0] * 4)).numel()
        kind = self.first.settings["model"]["generator"]["_target_"].split(".")[-2]
        said = f"{of}, {kind}, {size} latent variables"
        return Markup("<h1>{}</h1><p>{}</p>").format(first, said)

    def _classes(self, visible: bool) -> Any:
        number = self.first.settings["num_classes"]
        kind: Any = gr.Radio if number <= MOST_RADIO_BUTTONS else gr.Dropdown
        names = self.first.artist.class_names
        choices = [(name, each) for each, name in enumerate(names or map(str, range(number)))]
        look = "names" if names else "numbers"
        return kind(choices, value=0, show_label=False, visible=visible, elem_id="class", elem_classes=look)

    def _epochs_beside(self, run: int) -> gr.Slider:
        """That of the run beside; of the only run there is it begins with another epoch than the first slider."""
        return self._epochs(run, at=1 if len(self.names) == 1 else None)

    def _epochs(self, run: int, at: int | None = None) -> gr.Slider:
        """The slider of a run's checkpoints, at the n-th of them, or the last."""
        known = list(self.explorer.runs[run].checkpoints) if run != NOBODY else [0]
        said = " · ".join(map(str, known)) if len(known) <= 6 else f"{known[0]} … {known[-1]}"
        return gr.Slider(
            1, max(2, len(known)), value=at or len(known), step=1, label=f"epochs: {said}", visible=len(known) > 1,
            buttons=[], elem_classes="epochs",
        )  # fmt: skip

    def _sliders(self) -> tuple[list[gr.HTML], list[gr.Slider]]:
        strips, sliders = [], []
        directions = self.explorer.directions
        for number, share in enumerate([] if directions is None else directions.shares.tolist(), start=1):
            with gr.Column(min_width=0, elem_classes="direction"):
                strips.append(gr.HTML())
                label = f"{number} · {share:.0%}"
                sliders.append(gr.Slider(-REACH, REACH, 0, step=0.1, label=label, buttons=[]))
        return strips, sliders

    def _read(self, place: dict[str, Any], *values: Any) -> tuple[Place, int, list[Opened]]:
        """The place, the class and the checkpoints, one or two, that the page's settings say.

        Raises:
            UserError: if a checkpoint cannot be opened.
        """
        label, run, epochs, other, other_epochs, *numbers = values
        seeds = [min(int(seed or 0), LARGEST_SEED) for seed in numbers[:4]]
        sides = [(run, epochs), (other, other_epochs)] if other != NOBODY else [(run, epochs)]
        return Place(seeds, along=numbers[4:], **place), int(label or 0), [self._open(*side) for side in sides]

    def _open(self, run: int, number: int) -> Opened:
        known = list(self.explorer.runs[run].checkpoints)
        return self.explorer.open(run, known[min(int(number), len(known)) - 1])

    def draw(self, *settings: Any) -> str:
        """The images of a place; a note if a checkpoint cannot be opened."""
        try:
            place, label, sides = self._read(*settings)
        except UserError as reason:
            return note(one_line(reason))
        latent = self.explorer.latent(place)
        names = [f"{self.names[run]}, " if len(self.names) > 1 else "" for run in (settings[2], settings[4])]
        return stage([self._shown(*side, latent, label) for side in zip(names, sides, strict=False)])

    def _shown(self, name: str, opened: Opened, latent: Tensor, label: int) -> Shown:
        image = opened.draw(latent, label)
        weights = "averaged" if opened.weights == "ema" else "raw"
        drawn = f"{_class(opened, label)}, " if opened.conditional else ""
        caption = f"{name}{drawn}after {counted(opened.epochs, 'epoch')}, {weights} weights"
        return Shown(
            image[0],
            caption,
            opened.score(image, label),
            opened.settings["log_odds"],
            opened.of_generated,
            self.explorer.of_real(opened),
        )

    def drag(self, event: gr.EventData, _: Any, *settings: Any) -> list[Any]:
        """A new place in the plane, and its images."""
        across, down = (min(1.0, max(0.0, float(share))) for share in (event.across, event.down))
        moved = {"across": across, "down": down, "start": None}
        return [moved, self.draw(moved, *settings)]

    def drop(self, event: gr.EventData, _: Any, *settings: Any) -> list[Any]:
        """The place where a drag ends, which may be before the last of :meth:`drag`, and all that is there."""
        moved, shown = self.drag(event, _, *settings)
        return [moved, shown, *self.settle(moved, *settings)]

    def settle(self, *settings: Any) -> list[Any]:
        """What takes longer than to draw an image: the picture of the plane, the training images, the strips.

        All of it stays as it was if a checkpoint cannot be opened.
        """
        try:
            place, label, (opened, *_) = self._read(*settings)
        except UserError:  # of which the images say why
            return [gr.skip()] * (2 + self._shown_directions)
        images = opened.draw(self.explorer.plane(place, STEPS), label)
        rows = [torch.cat([*some], dim=2) for some in images.split(STEPS + 1)]
        pad = {
            "picture": png(torch.cat(rows, dim=1)),
            "across": place.across,
            "down": place.down,
            "away": place.start is not None,
        }
        directions = range(len(place.along))
        strips = [strip(opened.draw(self.explorer.strip(place, each, ON_A_STRIP), label)) for each in directions]
        return [pad, self._near(opened.draw(self.explorer.latent(place), label)[0]), *strips]

    def _near(self, image: Tensor) -> str:
        found = self.explorer.nearest(image)
        if found is None:
            return note(f"They are not to be had: {self.explorer.missing}")
        images, near = found
        return row(images, [f"{distance:.0f}" for distance in near.distances.tolist()])

    def both(self, *settings: Any) -> list[Any]:
        """The images of a place, and the rest."""
        return [self.draw(*settings), *self.settle(*settings)]

    def project(self, file: str, run: int, epochs: int, _: gr.Progress = PROGRESS) -> list[Any]:
        """What is most like an uploaded image, and where it is; a note if that is none."""
        try:
            opened = self._open(run, epochs)
            photo = _photo(file, opened)
        except UserError as reason:
            return [note(one_line(reason)), *[gr.skip()] * (2 + self._shown_directions)]
        projection = self.explorer.project(photo, opened)
        away = difference(photo, projection.image)
        drawn = f"drawn as {_class(opened, int(projection.label))}" if opened.conditional else "drawn"
        images, captions = [photo, projection.image], ["yours", f"{drawn}, {away:.0f} away"]
        if (found := self.explorer.nearest(photo)) is not None:
            images.append(found[0][0])
            captions.append(f"training, {found[1].distances[0]:.0f} away")
        place = {"across": 0.5, "down": 0.5, "start": projection.latent}
        shown = row(torch.stack(images), captions)
        return [shown, place, int(projection.label), *[0] * self._shown_directions]


def _photo(file: str, opened: Opened) -> Tensor:
    """An uploaded image in the shape of a generator's.

    Raises:
        UserError: if it is none, or the generator draws neither gray images nor colours.
    """
    channels, height, width = opened.artist.image_shape
    if channels not in (1, 3):
        raise UserError(f"Gray images and colours can be compared; those of this generator have {channels} channels.")
    try:
        return read_image(Path(file), (channels, height, width))
    except UnreadableImageError as reason:
        raise UserError(f"This cannot be read: {reason}.") from reason


def _class(opened: Opened, label: int) -> str:
    """What a class is called."""
    names = opened.artist.class_names
    return names[label] if names else f"class {label}"


def _other_seeds(place: dict[str, Any]) -> list[Any]:
    return [{**place, "start": None}, *(SystemRandom().randrange(10_000) for _ in range(4))]
