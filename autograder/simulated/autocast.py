"""`torch.autocast("cuda")`, of which a build without CUDA keeps the switch but has no casts.

The lists are those of ATen/autocast_mode.h; a cast is an ordinary `to`, so gradients flow back through it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

from autograder.simulated.tensor import DeviceTensor

# Matrix products and convolutions: in the dtype of the autocast.
LOWER = frozenset(
    """
    matmul __matmul__ __rmatmul__ mm mv bmm addmm addmv addr addbmm baddbmm chain_matmul linalg_multi_dot
    linalg_vecdot linear einsum conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d
    conv_transpose3d convolution prelu lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell
    rnn_relu_cell scaled_dot_product_attention
    """.split()
)
# What overflows or loses digits in half precision: in float32. `cross_entropy_loss` is a log_softmax within.
FLOAT32 = frozenset(
    """
    acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow __pow__ __rpow__
    softplus layer_norm native_layer_norm group_norm frobenius_norm nuclear_norm norm cosine_similarity
    poisson_nll_loss cosine_embedding_loss nll_loss nll_loss_nd hinge_embedding_loss kl_div l1_loss
    smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss
    triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits cross_entropy_loss dist pdist cdist
    renorm logsumexp prod softmax log_softmax cumprod cumsum linalg_vector_norm linalg_matrix_norm sum
    """.split()
)
# Arguments of several dtypes: in the widest of them.
WIDEST = frozenset(
    "addcdiv addcmul bilinear dot vdot index_put scatter_add tensordot cross grid_sample".split()
)


def cast(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that the function `name` gets under `torch.autocast("cuda")`; float64 is left alone."""
    if name in LOWER:
        dtype = torch.get_autocast_dtype("cuda")
    elif name in FLOAT32 or (
        name in WIDEST and any(_casts(x) and x.dtype == torch.float32 for x in tree_leaves((args, kwargs)))
    ):
        dtype = torch.float32
    else:
        return args, kwargs

    def to_dtype(x: torch.Tensor) -> torch.Tensor:
        return x.to(dtype) if _casts(x) else x

    args, kwargs = tree_map_only(torch.Tensor, to_dtype, (args, kwargs))
    return args, kwargs


def _casts(x: Any) -> bool:
    return isinstance(x, DeviceTensor) and x.dtype in (torch.float32, torch.float16, torch.bfloat16)
