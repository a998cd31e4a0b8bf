"""The model card of an exported generator, in Hugging Face's form: YAML, then Markdown."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import yaml

from gan_lightning.exporting.folder import FACTS
from gan_lightning.loading import TrainedGenerator
from gan_lightning.measures.metrics import METRICS
from gan_lightning.settings import hyperparameters
from gan_lightning.wording import counted

PICTURE = "samples.png"
TASK = "unconditional-image-generation"
"""What Hugging Face calls it, also where there are classes."""
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}
WEIGHTS = {"ema": "the average over training", "raw": "those of the last step"}
USE = {
    "safetensors": '''\
```python
from gan_lightning import load

generator = load("this/folder"{trust})
images = generator.draw(16{one_class}, seed=0)  # bytes, (16, {shape})
```

`generator` is a `torch.nn.Module`: latents{and_labels} to images in [-1, 1]. A class that inherits from
`{kind}` and from `huggingface_hub.PyTorchModelHubMixin`
reads this folder, or the repository on the Hub that it was uploaded to, with `from_pretrained`:

```python
from huggingface_hub import PyTorchModelHubMixin

from {module} import {name}


class OnTheHub({name}, PyTorchModelHubMixin):
    """The same, with `from_pretrained`."""


network = OnTheHub.from_pretrained("this/folder")
```''',
    "onnx": """\
```python
import numpy
import onnxruntime

generator = onnxruntime.InferenceSession("model.onnx")
latent = {latent_numpy}
(images,) = generator.run(None, {{"latent": latent.astype("float32"){labels_numpy}}})
```

{inputs}""",
    "torch_export": """\
```python
import torch

generator = torch.export.load("model.pt2").module()
latent = {latent_torch}
images = generator(latent{labels_torch})
```

{inputs}""",
}
"""How a stranger draws sixteen images with each form."""
LISTED = 100
"""Classes that are named, at most."""
LATENTS = {
    "normal": {"numpy": "numpy.random.standard_normal((16, {size}))", "torch": "torch.randn(16, {size})"},
    "uniform": {
        "numpy": "numpy.random.uniform(-(3**0.5), 3**0.5, (16, {size}))",
        "torch": "(2 * torch.rand(16, {size}) - 1) * 3**0.5",
    },
    "spherical": {
        "numpy": "numpy.random.standard_normal((16, {size}))\n"
        "latent *= {size}**0.5 / numpy.linalg.norm(latent, axis=1, keepdims=True)",
        "torch": "torch.nn.functional.normalize(torch.randn(16, {size})) * {size}**0.5",
    },
}
"""Sixteen latents of each distribution."""


def card(
    config: dict[str, Any], generator: TrainedGenerator, form: str, name: str, commit: str | None, licence: str | None
) -> str:
    """What a stranger needs to know.

    Args:
        config: what `config.json` says.
        generator: of which it says that.
        form: `safetensors`, `onnx` or `torch_export`.
        name: of the model, the folder's.
        commit: of the code that exported it, if it is known.
        licence: of the weights, as Hugging Face calls it; None if nobody has said.
    """
    ours = config["gan_lightning"]
    facts = {fact: config[fact] for fact in FACTS}
    arguments = {key: value for key, value in config.items() if key not in ("gan_lightning", *FACTS)}
    settings = {**ours["settings"], **facts, "model": {**ours["settings"]["model"], "generator": arguments}}
    shown = hyperparameters(settings)
    data = ours["title"] or str(shown.get("dataset", "unknown data"))
    channels, height, width = generator.image_shape
    of_class = f", of the class that it is told, one of {generator.num_classes}" if generator.conditional else ""
    lengths = {"epoch": ours["epochs"], "alternation": ours["alternations"], "real image": ours["images_seen"]}
    length = ", ".join(counted(number, noun) for noun, number in lengths.items() if number is not None)
    code = f"gan-lightning {ours['version']}" + (f", commit {commit}" if commit else "")
    head = yaml.safe_dump(_head(ours["measured"], name, data, licence), sort_keys=False, allow_unicode=True)
    return f"""\
---
{head}---

# {name}

![samples]({PICTURE})

The generator of a GAN, `{config["_target_"]}`.
It draws images like those of {data}: {height} × {width} pixels,
{counted(channels, "channel")}{of_class}.
{_classes(generator.class_names) if generator.conditional else ""}

## Use

{USE[form].format_map(_words(config, generator))}

## Training

- **Data**: {data}
- **Length**: {length}
- **Weights**: {WEIGHTS[ours["weights"]]}, `{ours["weights"]}`
- **Seed**: {settings["seed"]}
- **Code**: exported with {code}
- **Licence** of the weights: {licence or "not said by whoever exported them"}

| setting | value |
|---|---|
{_rows((f"`{key}`", _cell(value)) for key, value in shown.items() if value is not None)}

## Measured

{_measured(ours["measured"])}
"""


def _head(measured: dict[str, Any] | None, name: str, data: str, licence: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {"library_name": "gan-lightning", "pipeline_tag": TASK, "license": licence or "unknown"}
    head["tags"] = ["gan", "image-generation", "model_hub_mixin", "pytorch_model_hub_mixin"]
    if measured is not None:
        metrics = [
            {"type": key, "name": title, "value": measured["metrics"][key]}
            for key, title in _titles(measured["metrics"]).items()
        ]
        result = {"task": {"type": TASK}, "dataset": {"name": data, "type": data.lower()}, "metrics": metrics}
        head["model-index"] = [{"name": name, "results": [result]}]
    return head


def _words(config: dict[str, Any], generator: TrainedGenerator) -> dict[str, str]:
    """What stands in the gaps of :data:`USE`."""
    kind = config["_target_"]
    module, _, name = kind.rpartition(".")
    one_class = json.dumps(generator.class_names[0], ensure_ascii=False) if generator.class_names else 0
    size = ", ".join(map(str, generator.sample_latent(1, torch.Generator()).shape[1:]))
    latents = LATENTS[getattr(generator.network, "latent_distribution", "normal")]
    labels = " and `labels`, (batch,), int64" if generator.conditional else ""
    return {
        "kind": kind,
        "trust": "" if kind.startswith("gan_lightning.") else f', trust="{module}"',
        "shape": ", ".join(map(str, generator.image_shape)),
        "inputs": f"It takes `latent`, (batch, {size}), float32,{labels} and gives `images`, (batch, C, H, W), float32"
        " in [-1, 1]; `(images + 1) * 127.5`, rounded, are bytes.",
        **{f"latent_{library}": latent.format(size=size) for library, latent in latents.items()},
        "module": module,
        "name": name,
        "one_class": f", labels={one_class}" if generator.conditional else "",
        "and_labels": " and labels" if generator.conditional else "",
        "labels_numpy": ', "labels": numpy.zeros(16, dtype="int64")' if generator.conditional else "",
        "labels_torch": ", torch.zeros(16, dtype=torch.int64)" if generator.conditional else "",
    }


def _measured(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "Nothing has been measured of it."
    held_out, features, floor = measured["held_out"], measured["features"], measured["floor"]
    against = "as many test images if there are" if held_out is None else f"{held_out:,} test images"
    space = f" in the feature space {' '.join(filter(None, features.values()))}" if features["name"] else ""
    by = {"training": "at the end of training", "evaluation": "by `gan_lightning.evaluate`"}[measured["by"]]
    rows = (
        (
            title + ARROWS[METRICS[name].better],
            *(f"{numbers[name]:.4g}" if name in numbers else "–" for numbers in (measured["metrics"], floor)),
        )
        for name, title in _titles(measured["metrics"]).items()
    )
    return f"""\
{measured["generated"]:,} generated images (seed {measured["seed"]}) against {against}{space}, {by}.
The floor, where it is known, is the same of real training images.

| metric | it | floor |
|---|---|---|
{_rows(rows)}"""


def _titles(metrics: Iterable[str]) -> dict[str, str]:
    """What each of some metrics is called by itself; in a table some say `its standard error` below another."""
    titles: dict[str, str] = {}
    above = ""
    for name, (title, _) in METRICS.items():
        is_of_above = title.startswith(" ")
        above = above if is_of_above else title
        titles[name] = f"{above}: {title.strip()}" if is_of_above else title
    return {name: titles[name] for name in metrics}


def _classes(names: Sequence[str]) -> str:
    """What the classes are called, in a paragraph; nothing if that is not known."""
    if not names:
        return ""
    said = ", ".join(f"{number} = {_code(name)}" for number, name in enumerate(names[:LISTED]))
    more = f" and {len(names) - LISTED:,} more, which `config.json` names" if len(names) > LISTED else ""
    return f"\nThe classes: {said}{more}.\n"


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _code(text: str) -> str:
    """A text between as many backticks as Markdown needs to leave it as it is."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
