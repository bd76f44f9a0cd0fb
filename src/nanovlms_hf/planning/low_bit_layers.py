"""Stand-ins for bitsandbytes' layers that take the same memory and can be traced.

bitsandbytes' own kernels want real weights. What they hold and make is: 4 bits (QLoRA, arXiv 2305.14314): two weights a byte and a
scale for each block of 64, as fp32, or as one byte with an fp32 for each 256 of them where quantised doubly; 8 bits
(LLM.int8, arXiv 2208.07339): a byte a weight and an fp32 for each row. Forward and backward each unpack a layer's weight, one layer
at a time; 8 bits make a copy of the input in 8 bits too.
"""

import torch
from torch import nn

from .workload import LowBits, names

_BLOCK, _NESTED_BLOCK = 64, 256


class _UnpackedProduct(torch.autograd.Function):
    """`inputs @ weight.T` with the weight unpacked anew in forward and backward, as bitsandbytes' MatMul4Bit does."""

    @staticmethod
    def forward(context, inputs: torch.Tensor, layer: "LowBitLinear") -> torch.Tensor:
        context.layer = layer
        if layer.bits == 8:
            torch.empty(inputs.shape, dtype=torch.int8)
        return inputs @ layer.unpacked(inputs.dtype).t()

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient @ context.layer.unpacked(gradient.dtype), None


class LowBitLinear(nn.Linear):
    """A linear layer whose weight is held in 4 or 8 bits.

    Args:
        layer (`nn.Linear`): the layer it stands for.
        settings (`LowBits`): how many bits.
        dtype (`torch.dtype`): what it computes in.
    """

    def __init__(self, layer: nn.Linear, settings: LowBits, dtype: torch.dtype):
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.bits, self.dtype = settings.bits, dtype
        held = torch.empty(low_bit_bytes(layer.weight.shape, settings), dtype=torch.uint8, device="meta")
        self.weight = nn.Parameter(held, requires_grad=False)
        if self.bias is not None:
            self.bias.requires_grad_(False)

    def unpacked(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight in full, `(out_features, in_features)`."""
        return torch.empty(self.out_features, self.in_features, dtype=dtype)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = _UnpackedProduct.apply(inputs.to(self.dtype), self)
        if self.bias is not None:
            outputs = outputs + self.bias.to(self.dtype)
        return outputs.to(inputs.dtype)


def low_bit_bytes(shape: torch.Size, settings: LowBits) -> int:
    """Bytes of a weight of a shape with its scales."""
    weights = shape.numel()
    if settings.bits == 8:
        return weights + 4 * shape[0]
    blocks = -(-weights // _BLOCK)
    scales = blocks + 4 * -(-blocks // _NESTED_BLOCK) + 4 * 256 if settings.nested else 4 * blocks
    return -(-weights // 2) + scales + 4 * 16  # a table of 256 values for the scales and one of 16 for the weights


def quantise(model: nn.Module, settings: LowBits, dtype: torch.dtype) -> None:
    """Puts stand-ins in place of the linear layers outside the kept components; the head stays as it is."""
    head = model.get_output_embeddings()
    for name, module in list(model.named_modules()):
        for child, layer in list(module.named_children()):
            kept = names(f"{name}.{child}", settings.kept) or layer is head
            if type(layer) is nn.Linear and not kept:
                setattr(module, child, LowBitLinear(layer, settings, dtype))


__all__ = ["LowBitLinear", "low_bit_bytes", "quantise"]
