"""Which jobs of a sweep can alternate as one."""

import json
import re
from typing import Any

from omegaconf import OmegaConf

OWN = re.compile(
    r"seed|data_dir|output_dir|ckpt_path|optimized_metric|hydra\.(?!job\.env_set).*"
    r"|(callbacks|logger|experiment|hparams_search|optimizer)\..*"
    r"|gan\.(seed|(generator|discriminator)_clip_norm|alternations_per_step|ema\.half_life(\..*)?)"
    r"|objective\.switch_epoch|penalty\.(weight|gamma)(\..*)?|augmentation\.std(\..*)?"
    r"|model\.generator\.latent_distribution|model\.discriminator\.((input|hidden)_)?dropout"
    r"|trainer\.(?!(precision|accelerator|plugins|deterministic|benchmark|detect_anomaly)\b).*"
)
"""The settings of which each training of a pack has its own, as its optimizers, its callbacks and its tensors have."""


def kind_of(config: Any) -> str:
    """What is the same of jobs that differ in numbers alone.

    Args:
        config: of a job, as Hydra composes it.
    """
    settings = _leaves(OmegaConf.to_container(config, resolve=False), "")
    kept: dict[str, Any] = {key: value for key, value in settings if not OWN.fullmatch(key)}
    kept["averaged"] = OmegaConf.select(config, "gan.ema.half_life") is not None
    return json.dumps(kept, sort_keys=True, default=str)


def _leaves(node: Any, key: str) -> Any:
    if not isinstance(node, dict) or not node:
        yield key, node
        return
    for name, child in node.items():
        yield from _leaves(child, f"{key}.{name}" if key else name)
