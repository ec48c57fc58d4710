"""Words for metrics, and which way each is better."""

from typing import Literal

from .words import said, words

MINIMIZE = frozenset({
    "loss", "error", "err", "perplexity", "ppl", "bpc", "bpb", "bits", "mse", "rmse", "mae", "mape", "nll", "wer", "cer",
    "fid", "regret", "deviance", "brier", "logloss", "cross entropy",
})  # fmt: skip
MAXIMIZE = frozenset({
    "accuracy", "acc", "f", "auc", "auroc", "roc", "recall", "precision", "r", "ap", "map", "ndcg", "mrr", "bleu",
    "rouge", "dice", "iou", "miou", "score", "reward", "return", "returns", "correct", "hits", "psnr", "ssim", "kappa",
    "mcc", "spearman", "pearson", "likelihood", "elbo", "exact match", "em",
})  # fmt: skip
HELD_OUT = frozenset({"test", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout"})
TRAINING = frozenset({"train", "training", "batch", "step", "running"})

Direction = Literal["maximize", "minimize"]


def direction_of(text: str) -> tuple[str, Direction] | None:
    """The metric word that `text` says last, and its direction; None when it says none."""
    for word in reversed(text.split()):
        parts = words(word)
        # `f` and `r` are metrics only as F1 and R2: the digits are gone from the words.
        if {"f", "r"} & set(parts) and not any(name in word.lower() for name in ("f1", "r2", "f_1", "f-1")):
            parts = tuple(part for part in parts if part not in {"f", "r"})
        if said(parts, MINIMIZE):
            return word, "minimize"
        if said(parts, MAXIMIZE):
            return word, "maximize"
    return None


_WEAK = frozenset(
    {"score", "reward", "return", "returns", "map", "f", "r", "em", "hits", "correct", "bits", "ap", "roc"}
)
_UP, _DOWN = MAXIMIZE - _WEAK, MINIMIZE - _WEAK


def way_of(name: str) -> Direction | None:
    """Which way a metric of this name is better; None when the name does not say, or says both."""
    parts = words(name)
    up, down = bool(said(parts, _UP)), bool(said(parts, _DOWN))
    if {"negative", "neg", "minus", "inverse"} & set(parts) or up == down:
        return None
    return "maximize" if up else "minimize"
