"""A process's share of a batch, computed as if the whole batch were here.

Three things of a training step depend on the whole batch: batch statistics, random masks, and what is mixed of two
images. Each process draws for the whole batch, from the step's seed, and takes its rows; statistics are summed over all
processes. Processes then compute what one would, up to the order of sums, and their number may change on the way.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from lentigo.errors import RunError
from lentigo.training.processes import World
from lentigo.training.recipe import Recipe

__all__ = ["WholeBatch", "check_shares_of_batches", "sum_over"]

_MASKS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout}


class WholeBatch(TorchFunctionMode):
    """While it is active, batch norms and random masks are those of the whole batch.

    Args:
        world: the processes.
        rows: of a batch that are here.
        count: rows of the whole batch.
    """

    def __init__(self, world: World, rows: slice, count: int) -> None:
        super().__init__()
        self.world, self.rows, self.count = world, rows, count

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What a network calls, in place of it."""
        kwargs = dict(kwargs or {})
        if func is F.batch_norm:
            return _batch_norm(*args, **kwargs)
        if func in _MASKS and self._is_here(args[0] if args else kwargs["input"]):
            return self._masked(func, args, kwargs)
        if func is Tensor.bernoulli_ and self._is_here(args[0]):  # paths that are dropped, image by image
            return args[0].copy_(args[0].new_empty(self._whole(args[0])).bernoulli_(*args[1:], **kwargs)[self.rows])
        return func(*args, **kwargs)

    def _is_here(self, tensor: Tensor) -> bool:
        """Whether the rows of a tensor are those of the batch."""
        return tensor.ndim > 0 and len(tensor) == self.rows.stop - self.rows.start

    def _whole(self, tensor: Tensor) -> tuple[int, ...]:
        return (self.count, *tensor.shape[1:])

    def _masked(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        """Dropout of the whole batch, the other processes' rows filled with nothing."""
        value, *rest = args if args else (kwargs.pop("input"),)
        channels_last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
        order = torch.channels_last if channels_last and not value.is_contiguous() else torch.contiguous_format
        whole = torch.empty(self._whole(value), dtype=value.dtype, device=value.device, memory_format=order).zero_()
        whole[self.rows] = value  # in place, which keeps the order of the memory
        return func(whole, *rest, **kwargs | {"inplace": False})[self.rows]


class _SumOver(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Sum."""
        return sum_over(value.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum the gradients."""
        return sum_over(gradients[0].contiguous().clone())


def sum_over(value: Tensor) -> Tensor:
    """Add the values of all processes, in place."""
    if distributed.is_initialized():
        distributed.all_reduce(value)
    return value


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` with the statistics of all processes' images.

    torch's SyncBatchNorm is for graphics cards alone.
    """
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    values = input.float()
    others = [axis for axis in range(values.ndim) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(values.ndim)]
    count = values.numel() // values.shape[1] * distributed.get_world_size()
    mean = _SumOver.apply(values.sum(others)) / count
    centred = values - mean.view(shape)
    var = _SumOver.apply(centred.square().sum(others)) / count
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((var * (count / max(1, count - 1))).to(running_var.dtype), momentum)
    scaled = centred * torch.rsqrt(var + eps).view(shape)
    if weight is not None:
        scaled = scaled * weight.float().view(shape)
    if bias is not None:
        scaled = scaled + bias.float().view(shape)
    return scaled.to(input.dtype)


def check_shares_of_batches(recipe: Recipe, size: int, batch: int, validation: int) -> None:
    """See that a training can be shared.

    Args:
        recipe: how it trains.
        size: number of processes.
        batch: images of a batch.
        validation: images of the validation part.

    Raises:
        RunError: it can't be, and why.
    """
    if size == 1:
        return
    if batch % size:
        raise RunError(
            f"A batch of {batch} images can't be divided by {size} processes.",
            f"Set batch_size to a multiple of {size}, such as {max(size, batch // size * size)}.",
        )
    if validation < size:
        raise RunError(f"{validation} validation images are too few for {size} processes.", "Lower --devices.")
    if recipe.compile:
        raise RunError("A compiled network can't share its batches.", "Set compile to false, or omit --devices.")
    whole = {callback.name for callback in recipe.all_callbacks} & {"quantization_aware"}
    if whole:
        raise RunError(
            f"{', '.join(sorted(whole))} measures ranges on whole batches, which several processes don't see.",
            "Train with one device.",
        )
