"""How many parameters a layer has, from the literals it is made with. Names and formulas are those of `torch.nn`."""

import math
from collections.abc import Callable, Mapping, Sequence

Known = Mapping[str, object]
"""Arguments by name; what could not be read is missing."""
MAX_SIZE = 10**15
"""Numbers above are no sizes of anything, and text of a repository may hold any number."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features", "bias"),
    "Bilinear": ("in1_features", "in2_features", "out_features", "bias"),
    **{f"Conv{n}d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
       for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups",
                              "bias") for n in (1, 2, 3)},
    "Embedding": ("num_embeddings", "embedding_dim"),
    "EmbeddingBag": ("num_embeddings", "embedding_dim"),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "RMSNorm": ("normalized_shape", "eps", "elementwise_affine"),
    "GroupNorm": ("num_groups", "num_channels", "eps", "affine"),
    **{f"BatchNorm{n}d": ("num_features", "eps", "momentum", "affine") for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": ("num_features", "eps", "momentum", "affine") for n in (1, 2, 3)},
    **dict.fromkeys(("RNN", "GRU", "LSTM"), ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")),
    "MultiheadAttention": ("embed_dim", "num_heads", "dropout", "bias"),
    "TransformerEncoderLayer": ("d_model", "nhead", "dim_feedforward"),
    "PReLU": ("num_parameters",),
}  # fmt: skip
"""Layers with weights, and their parameters in order."""
_SIZES = (
    (("in_features", "out_features"), " → "),
    (("in_channels", "out_channels"), " → "),
    (("input_size", "hidden_size"), " → "),
    (("num_embeddings", "embedding_dim"), " × "),
    (("embed_dim", "num_heads"), ", heads "),
    (("d_model", "nhead"), ", heads "),
    (("normalized_shape",), ""),
    (("num_features",), ""),
    (("num_channels",), ""),
)
"""The parameters a shape is told by, and what stands between them."""
WITHOUT = frozenset(
    "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Tanh Sigmoid Softmax LogSoftmax Softplus Hardswish Hardtanh Identity "
    "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout Flatten Unflatten MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d "
    "AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d Upsample "
    "PixelShuffle ZeroPad2d ReflectionPad2d ConstantPad1d CrossEntropyLoss MSELoss BCELoss BCEWithLogitsLoss L1Loss NLLLoss "
    "SmoothL1Loss KLDivLoss".split()
)
"""Layers without weights."""


def named_arguments(layer: str, positional: Sequence[object], keywords: Known) -> dict[str, object]:
    """Arguments of a known layer by the names of its parameters."""
    return dict(zip(PARAMETERS.get(layer, ()), positional, strict=False)) | dict(keywords)


def parameter_count(layer: str, arguments: Known) -> int | None:
    """Weights and biases of one layer; None where a size could not be read."""
    if layer in WITHOUT:
        return 0
    count = next((formula for names, formula in _FORMULAS if layer in names), None)
    try:
        found = count(layer, arguments) if count else None
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return found if found is not None and 0 <= found <= MAX_SIZE else None


def shape_text(layer: str, arguments: Known) -> str:
    """The sizes that a reader looks for first: `784 → 128`, `1 → 16, 3×3`, `1000 × 64`; empty where there are none."""
    named = PARAMETERS.get(layer, ())
    for names, between in _SIZES:
        if set(names) <= set(named):
            shape = between.join(str(arguments.get(name, "?")) for name in names)
            break
    else:
        return ""
    kernel = arguments.get("kernel_size")
    if kernel is None:
        return shape
    sides = kernel if isinstance(kernel, tuple | list) else [kernel] * int(layer[-2])
    return f"{shape}, {'×'.join(str(side) for side in sides)}"


def product(value: object) -> int:
    """Numbers of a shape multiplied. Raises: TypeError for what is none."""
    return math.prod(_size(side) for side in value) if isinstance(value, tuple | list) else _size(value)


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SIZE:
        raise TypeError("not a size")
    return value


def _flag(arguments: Known, name: str, default: bool = True) -> bool:
    value = arguments.get(name, default)
    if not isinstance(value, bool):
        raise TypeError("not read")
    return value


def _linear(layer: str, a: Known) -> int:
    return (_size(a["in_features"]) + _flag(a, "bias")) * _size(a["out_features"])


def _bilinear(layer: str, a: Known) -> int:
    return (_size(a["in1_features"]) * _size(a["in2_features"]) + _flag(a, "bias")) * _size(a["out_features"])


def _convolution(layer: str, a: Known) -> int:
    kernel, into, out = a["kernel_size"], _size(a["in_channels"]), _size(a["out_channels"])
    field = product(kernel) if isinstance(kernel, tuple | list) else _size(kernel) ** int(layer[-2])
    return into * out // _size(a.get("groups", 1)) * field + _flag(a, "bias") * out


def _embedding(layer: str, a: Known) -> int:
    return _size(a["num_embeddings"]) * _size(a["embedding_dim"])


def _norm(layer: str, a: Known) -> int:
    if layer in ("LayerNorm", "RMSNorm"):
        each = 1 + (layer == "LayerNorm" and _flag(a, "bias"))
        return product(a["normalized_shape"]) * each * _flag(a, "elementwise_affine")
    features = a["num_channels"] if layer == "GroupNorm" else a["num_features"]
    return 2 * _size(features) * _flag(a, "affine", not layer.startswith("Instance"))


def _recurrent(layer: str, a: Known) -> int:
    gates, hidden, into = {"LSTM": 4, "GRU": 3, "RNN": 1}[layer], _size(a["hidden_size"]), _size(a["input_size"])
    directions, bias = 1 + _flag(a, "bidirectional", False), 2 * _flag(a, "bias")
    deep = _size(a.get("num_layers", 1)) - 1
    return directions * gates * hidden * ((into + hidden + bias) + deep * (directions * hidden + hidden + bias))


def _attention(layer: str, a: Known) -> int:
    if "kdim" in a or "vdim" in a:
        raise TypeError("not read")
    width = _size(a["embed_dim"])
    return 4 * width * (width + _flag(a, "bias"))


def _encoder(layer: str, a: Known) -> int:
    width, inner = _size(a["d_model"]), _size(a.get("dim_feedforward", 2048))
    if not _flag(a, "bias"):
        raise TypeError("not read")
    return 4 * width * (width + 1) + width * inner + inner + inner * width + width + 4 * width


def _prelu(layer: str, a: Known) -> int:
    return _size(a.get("num_parameters", 1))


_FORMULAS: tuple[tuple[frozenset[str], Callable[[str, Known], int]], ...] = (
    (frozenset({"Linear"}), _linear),
    (frozenset({"Bilinear"}), _bilinear),
    (frozenset(name for name in PARAMETERS if name.startswith("Conv")), _convolution),
    (frozenset({"Embedding", "EmbeddingBag"}), _embedding),
    (frozenset(name for name in PARAMETERS if "Norm" in name), _norm),
    (frozenset({"RNN", "GRU", "LSTM"}), _recurrent),
    (frozenset({"MultiheadAttention"}), _attention),
    (frozenset({"TransformerEncoderLayer"}), _encoder),
    (frozenset({"PReLU"}), _prelu),
)
