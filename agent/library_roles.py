"""What a call of a library's function makes or does, told by its dotted name."""

from functools import lru_cache

from .code_map import Role
from .role_words import (
    DATA_CALLS,
    ESTIMATOR_PACKAGES,
    LLM_CLIENTS,
    LLM_METHODS,
    LLM_PACKAGES,
    LOSS_CALLS,
    METRIC_PACKAGES,
    MODEL_CALLS,
    MODEL_PACKAGES,
    OPTIMIZER_PACKAGES,
    RETRIEVAL_METHODS,
    RETRIEVAL_PACKAGES,
)


@lru_cache(maxsize=1 << 15)
def library_role(callee: str) -> Role | None:
    """The role of whoever calls `callee`, or hands on what it gives; None when its name says none."""
    last = callee.rpartition(".")[2]
    if callee.startswith(OPTIMIZER_PACKAGES) and "scheduler" not in callee and last[:1].isupper():
        return "optimizer"
    if (last.endswith("Loss") and last[:1].isupper()) or last in LOSS_CALLS or last.endswith("_loss"):
        return "loss"
    if last in DATA_CALLS or callee.startswith(("sklearn.datasets.", "torchvision.datasets.")):
        return "data"
    if callee.startswith(METRIC_PACKAGES):
        return "metric"
    if callee.startswith((*LLM_PACKAGES, *LLM_CLIENTS)) or callee.endswith(LLM_METHODS):
        return "llm_call"
    if callee.startswith(RETRIEVAL_PACKAGES) or last in RETRIEVAL_METHODS:
        return "retrieval"
    return None


def makes_model(callee: str) -> bool:
    """Whether a library's call by this name gives a model to train."""
    owner, _, last = callee.rpartition(".")
    if callee in MODEL_CALLS or (callee.startswith(ESTIMATOR_PACKAGES) and last[:1].isupper()):
        return True
    if callee.startswith(MODEL_PACKAGES):
        return not last.endswith("Weights")
    return last == "from_pretrained" and "Model" in owner.rpartition(".")[2]


def made_by(callee: str) -> Role | None:
    """What a library's call by this name gives."""
    return "model" if makes_model(callee) else library_role(callee)
