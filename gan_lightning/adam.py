"""Adam with coefficients that may change inside a recorded step, and PyTorch's own with less around it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.errors import number


class Adam(Optimizer):
    """Kingma & Ba 2015, algorithm 1, with a learning rate and betas that may be tensors.

    PyTorch's own reads its betas as numbers, which a CUDA graph would repeat for ever. Where they do not change, it is
    the faster one.

    Args:
        params: what is optimized.
        lr: the learning rate.
        betas: how much of the averages of the gradients and of their squares is kept.
        eps: added to the root of the average square.

    Raises:
        ValueError: if a setting is not a number of at least 0, or a beta not less than 1.
    """

    def __init__(self, params: Any, lr: float = 1e-3, betas: Sequence[float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        number("lr", lr, at_least=0)
        number("eps", eps, at_least=0)
        for beta in betas:
            number("each of betas", beta, at_least=0)
        if len(betas) != 2 or max(betas) >= 1:
            raise ValueError(f"betas must be two numbers below 1, not {list(betas)}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "capturable": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        step, average, square = state["step"], state["exp_avg"], state["exp_avg_sq"]
        step += 1
        average.lerp_(gradient, 1 - beta1)
        square.lerp_(gradient.square(), 1 - beta2)
        size = group["lr"] / (1 - beta1**step)
        root = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        parameter.sub_(average.div(root).mul_(size))


def is_fused_on_cpu(optimizer: Optimizer) -> bool:
    """Whether it is PyTorch's Adam, fused, on a CPU, and its settings are numbers."""
    return type(optimizer) is torch.optim.Adam and all(
        group["fused"]
        and not (group["amsgrad"] or group["capturable"] or group["differentiable"])
        and not any(isinstance(each, Tensor) for each in (group["lr"], *group["betas"]))
        and all(weight.device.type == "cpu" for weight in group["params"])
        for group in optimizer.param_groups
    )


@torch.no_grad()
def step_fused(optimizer: Optimizer) -> None:
    """A step of PyTorch's fused Adam by the same kernel, without the hooks, checks and groupings around it, which take
    as long as the kernel where the networks are small.

    Args:
        optimizer: one that :func:`is_fused_on_cpu` accepts. What it keeps of a parameter, its own step begins.
    """
    of_groups = [[weight for weight in group["params"] if weight.grad is not None] for group in optimizer.param_groups]
    if not all(optimizer.state[weight] for moved in of_groups for weight in moved):
        optimizer.step()
        return
    for group, moved in zip(optimizer.param_groups, of_groups, strict=True):
        states = [optimizer.state[weight] for weight in moved]
        averages, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            moved,
            [weight.grad for weight in moved],
            averages,
            squares,
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=group["maximize"],
        )
