"""Walk about in a generator on a local page: `python -m gan_lightning.explore ckpt=…`; `--help` lists the settings."""

import importlib.util

from omegaconf import DictConfig

from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError, whole_number
from gan_lightning.mistakes import user_mistakes


@entry_point("explore")
def main(settings: DictConfig) -> None:
    """Serve a page of some checkpoints to this machine, until Ctrl-C."""
    if settings.ckpt in (None, "", []):
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    if settings.data_dir in (None, ""):
        raise UserError("data_dir is empty; to use the current folder, say data_dir=.")
    with user_mistakes():
        whole_number("port", settings.port, at_least=0, at_most=65535)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'gan-lightning[explore]' brings it")

    from gan_lightning.exploring.explorer import Explorer  # not needed for --help and mistyped keys
    from gan_lightning.exploring.runs import find_runs

    explorer = Explorer(
        find_runs(as_list(settings.ckpt)), settings.weights, str(settings.data_dir), as_list(settings.trust)
    )
    if explorer.missing:
        print(f"without the nearest training images: {explorer.missing}")

    from gan_lightning.exploring.page import Page
    from gan_lightning.exploring.serving import serve

    serve(Page(explorer), settings.port)


if __name__ == "__main__":
    main()
