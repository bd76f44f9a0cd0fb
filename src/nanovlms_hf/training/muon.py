"""Muon for the matrices and convolutions, AdamW for the rest, in one optimizer.

Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks") replaces the momentum of a weight matrix by
the nearest orthogonal matrix, found by five Newton-Schulz iterations. On our towers it learned to tell kinds of things apart
three to four times sooner than AdamW (docs/log.md). `torch.optim.Muon` takes matrices only; here a convolution counts as
the matrix `(out_channels, everything else)`, and embeddings, norms, biases and first layers go to AdamW.
"""

from collections.abc import Iterable

import torch

# Quintic iteration whose slope at zero is steep: singular values end between about 0.7 and 1.2, which is enough.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """A matrix with the singular vectors of `matrix`, `(..., rows, columns)`, and singular values near one, in bfloat16."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = (matrix.mT if tall else matrix).bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon for the groups with `muon: True`, AdamW for the others.

    Args:
        params (`Iterable[dict]`): parameter groups; each has `params` and `muon`, and may set `lr` and `weight_decay`.
        lr (`float`, defaults to 1e-3): learning rate of groups that set none; Muon's is about 0.02.
        weight_decay (`float`, defaults to 0.0): decoupled weight decay of groups that set none.
        momentum (`float`, defaults to 0.95): Nesterov momentum of Muon.
        betas (`tuple[float, float]`), eps (`float`): AdamW's.

    Raises:
        ValueError: if a Muon group holds a parameter with fewer than two dimensions.
    """

    def __init__(
        self,
        params: Iterable[dict],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
    ):
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "betas": betas,
            "eps": eps,
            "muon": False,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            flat = [tuple(p.shape) for p in group["params"] if group["muon"] and p.ndim < 2]
            if flat:
                raise ValueError(
                    f"a Muon group holds parameters of shapes {flat[:3]}; put vectors into an AdamW group."
                )

    @torch.no_grad()
    def step(self, closure=None):
        """One update; returns the closure's loss, if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            trained = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter in trained:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
            if group["muon"]:
                self._muon(trained, group)
            else:
                for parameter in trained:
                    self._adamw(parameter, group, self.state[parameter])
        return loss

    def _muon(self, parameters: list[torch.Tensor], group: dict) -> None:
        shapes: dict[tuple[int, int], list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for parameter in parameters:
            direction = self._direction(parameter, group["momentum"])
            shapes.setdefault(tuple(direction.shape), []).append((parameter, direction))
        # Matrices of one shape go through the iterations together: on a CPU tiny products cost their calls, not their sums.
        for (rows, columns), same in shapes.items():
            updates = orthogonalise(torch.stack([direction for _, direction in same]))
            scale = max(1.0, rows / columns) ** 0.5
            for (parameter, _), update in zip(same, updates, strict=True):
                update = update.to(parameter.dtype).reshape(parameter.shape)
                parameter.add_(update, alpha=-group["lr"] * scale)

    def _direction(self, parameter: torch.Tensor, momentum: float) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"].mul_(momentum).add_(parameter.grad)
        return parameter.grad.add(buffer, alpha=momentum).flatten(1)  # (rows, columns)

    def _adamw(self, parameter: torch.Tensor, group: dict, state: dict) -> None:
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        step = state["step"].item()
        state["exp_avg"].lerp_(parameter.grad, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
        denominator = (state["exp_avg_sq"] / (1 - beta2**step)).sqrt_().add_(group["eps"])
        parameter.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / (1 - beta1**step))


def muon_groups(
    named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
    *,
    lr: float,
    muon_lr: float,
    weight_decay: float = 0.0,
) -> list[dict]:
    """Sorts parameters into a Muon group and an AdamW group.

    Muon takes the hidden matrices and convolutions; embeddings, positions, heads, first convolutions (three or fewer input
    channels), norms and biases go to AdamW.

    Args:
        named_parameters: names and parameters; frozen ones are left out.
        lr, muon_lr (`float`): learning rates of the two groups.
        weight_decay (`float`): decay of the matrices of both groups; vectors never decay.
    """
    hidden, matrices, vectors = [], [], []
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2 or "position" in name or "cls_token" in name:
            vectors.append(parameter)
        elif _is_table(name) or (parameter.ndim == 4 and parameter.shape[1] <= 3):
            matrices.append(parameter)
        else:
            hidden.append(parameter)
    groups = [
        {"params": hidden, "muon": True, "lr": muon_lr, "weight_decay": weight_decay},
        {"params": matrices, "muon": False, "lr": lr, "weight_decay": weight_decay},
        {"params": vectors, "muon": False, "lr": lr, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def muon_optimizer(model: torch.nn.Module, args) -> MuonWithAdamW:
    """The optimizer of a trainer whose arguments set `muon_learning_rate`.

    Args:
        model (`torch.nn.Module`): the model to train; frozen parameters are left out.
        args (`TrainingArguments`): read for `muon_learning_rate` (Muon's), `learning_rate` (AdamW's) and `weight_decay`.
    """
    groups = muon_groups(
        model.named_parameters(),
        lr=args.learning_rate,
        muon_lr=args.muon_learning_rate,
        weight_decay=args.weight_decay,
    )
    return MuonWithAdamW(groups, lr=args.learning_rate)


def _is_table(name: str) -> bool:
    return any(part in name for part in ("embed_tokens", "wte", "wpe", "lm_head", "heads."))


__all__ = ["MuonWithAdamW", "muon_groups", "muon_optimizer", "orthogonalise"]
