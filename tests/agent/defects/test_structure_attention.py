"""Attention: masks after the softmax, masks of the other polarity, scores scaled twice."""

from collections.abc import Callable
from typing import Any

import pytest

HEAD = "import math\nimport torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"


def attend(code: str, parameters: str = "self, q, k, v, mask") -> str:
    body = code.replace("\n", "\n        ")
    return HEAD + f"class Attention(nn.Module):\n    def forward({parameters}):\n        {body}\n"


LATE = attend("s = q @ k\ns = F.softmax(s, dim=-1)\ns = s.masked_fill(mask == 0, -1e9)\nreturn s @ v")
CAUSAL = attend(
    "keep = torch.tril(torch.ones(8, 8))\ns = (q @ k).masked_fill(keep == 0, float('-inf'))\nreturn s.softmax(-1) @ v"
)
BUFFER = HEAD + (
    "class Attention(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.register_buffer('bias', torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8))\n\n"
    "    def forward(self, s, t):\n        return s.masked_fill(self.bias[:, :, :t, :t] == 0, float('-inf')).softmax(-1)\n"
)
ENCODER = HEAD + (
    "class Encoder(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)\n\n"
    "    def forward(self, x, ids, pad):\n        return self.enc(x, src_key_padding_mask=ids == pad)\n"
)
FUSED = attend("q = q * self.scale\nreturn F.scaled_dot_product_attention(q, k, v)", "self, q, k, v")
ROOT = attend("s = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))\nreturn s.softmax(-1) @ v", "self, q, k, v")
FILL = "s = s.masked_fill(mask == 0, -1e9)"
CHANGES: dict[str, tuple[str, str, tuple[str, str]]] = {
    "future kept": ("inverted_mask", CAUSAL.replace("== 0", "== 1"), ("keep == 1", "keep == 0")),
    "a bare mask": ("inverted_mask", CAUSAL.replace("keep == 0", "keep.bool()"), ("keep.bool()", "keep.bool() == 0")),
    "an upper triangle": (
        "inverted_mask", CAUSAL.replace("tril(torch.ones(8, 8))", "triu(torch.ones(8, 8), diagonal=1)"), ("keep == 0", "keep == 1"),
    ),
    "a buffer": ("inverted_mask", BUFFER.replace("== 0", "== 1"), (":t] == 1", ":t] == 0")),
    "padding": ("inverted_mask", ENCODER.replace("ids == pad", "ids != pad"), ("ids != pad", "ids == pad")),
    "padding by a name": (
        "inverted_mask",
        ENCODER.replace("return self.enc", "keep = ids != pad\n        return self.enc").replace("=ids == pad", "=keep"),
        ("=keep)", "=keep == 0)"),
    ),
    "a scaled query": ("attention_scale", FUSED, ("k, v)\n", "k, v, scale=1.0)\n")),
    "a scaled query, in place": ("attention_scale", FUSED.replace("q = q * self.scale", "q *= d ** -0.5"), ("k, v)\n", "k, v, scale=1.0)\n")),
    "scaled in the call": (
        "attention_scale", attend("return F.scaled_dot_product_attention(q / math.sqrt(8), k, v)", "self, q, k, v"),
        ("k, v)\n", "k, v, scale=1.0)\n"),
    ),
    "scaled up": ("attention_scale", ROOT.replace(" / ", " * "), (" * math", " / math")),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_is_mended(case: str, mended: Callable[[str, str, str], None]) -> None:
    detector, before, (old, new) = CHANGES[case]
    start, found, end = before.rpartition(old)
    assert found
    mended(detector, before, start + new + end)


def test_the_mask_goes_before_the_softmax(mended: Callable[[str, str, str], None]) -> None:
    late = attend("s = q @ k\nw = F.softmax(s, dim=-1)\nw = w.masked_fill(mask == 0, -1e9)\nreturn w @ v")
    right = attend("s = q @ k\ns = s.masked_fill(mask == 0, -1e9)\nw = F.softmax(s, dim=-1)\nreturn w @ v")
    mended("mask_after_softmax", late, right)
    mended(
        "mask_after_softmax",
        LATE,
        LATE.replace(f"        {FILL}\n", "").replace("        s = F", f"        {FILL}\n        s = F"),
    )


SILENT: dict[str, tuple[str, str]] = {
    "masked before": ("mask_after_softmax", attend("s = (q @ k).masked_fill(mask == 0, -1e9)\nreturn F.softmax(s, -1) @ v")),
    "masked with zero": ("mask_after_softmax", LATE.replace("-1e9", "0.0")),
    "a second softmax": ("mask_after_softmax", LATE.replace("return s @ v", "return F.softmax(s, -1) @ v")),
    "the best of the rest": ("mask_after_softmax", LATE.replace("return s @ v", "return s.topk(2)")),
    "the past kept": ("inverted_mask", CAUSAL),
    "the future hidden": ("inverted_mask", CAUSAL.replace("tril(torch.ones(8, 8))", "triu(torch.ones(8, 8), 1)").replace("keep == 0", "keep.bool()")),
    "not kept": ("inverted_mask", CAUSAL.replace("keep == 0", "~keep.bool()")),
    "one minus": ("inverted_mask", CAUSAL.replace("keep == 0", "(1 - keep).bool()")),
    "a buffer": ("inverted_mask", BUFFER),
    "a mask of the caller": ("inverted_mask", attend("return (q @ k).masked_fill(mask, float('-inf'))")),
    "two makings": ("inverted_mask", CAUSAL.replace("s = (q", "if v is None:\n            keep = keep == 0\n        s = (q").replace("keep == 0, f", "keep == 1, f")),
    "filled with zero": ("inverted_mask", CAUSAL.replace("keep == 0, float('-inf')", "keep == 1, 0.0")),
    "padding": ("inverted_mask", ENCODER),
    "a layer of one's own": ("inverted_mask", ENCODER.replace("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)", "Mine()").replace("ids == pad", "ids != pad") + "\nclass Mine(nn.Module):\n    pass\n"),
    "another diagonal": ("inverted_mask", CAUSAL.replace("torch.ones(8, 8))", "torch.ones(8, 8), 3)").replace("== 0", "== 1")),
    "a given scale": ("attention_scale", FUSED.replace("k, v)\n", "k, v, scale=1.0)\n")),
    "no scale of one's own": ("attention_scale", FUSED.replace("q = q * self.scale", "q = self.norm(q)")),
    "in the other branch": ("attention_scale", attend("if mask is None:\n    return F.scaled_dot_product_attention(q, k, v)\nelse:\n    q = q * self.scale\n    return (q @ k).softmax(-1) @ v")),
    "scaled under a condition": ("attention_scale", attend("if not self.fused:\n    q = q * self.scale\nreturn F.scaled_dot_product_attention(q, k, v)")),
    "a rotary factor": ("attention_scale", FUSED.replace("self.scale", "self.cos")),
    "a learned temperature": ("attention_scale", FUSED.replace("self.scale", "self.logit_scale")),
    "a rotation": ("attention_scale", attend("return (q @ k.transpose(-2, -1)) * math.sqrt(2)")),
    "divided by the root": ("attention_scale", ROOT),
    "embeddings times the root": ("attention_scale", attend("return self.embed(q) * math.sqrt(8)")),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, str], list[Any]]) -> None:
    detector, text = SILENT[case]
    compile(text, case, "exec")
    assert found(detector, text) == []
