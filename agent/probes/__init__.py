"""Small experiments that settle a suspicion in seconds, before a training is paid for. docs/probes.md says how far.

A new probe is a module with `ask`, `measure` and `decide` (see `base.Probe`), a line in `PROBES`, and its name behind each
detector it can settle in `SETTLES`.
"""

from . import (
    compute_twice,
    evaluation_twice,
    future_tokens,
    gradient_growth,
    gradients,
    initial_loss,
    metric_batches,
    overfit_batch,
    padded_tokens,
    response,
    save_load,
    shuffled_labels,
)
from .base import Probe
from .base import Probed as Probed

PROBES: dict[str, Probe] = {
    "initial_loss": initial_loss,
    "overfit_batch": overfit_batch,
    "gradients": gradients,
    "gradient_growth": gradient_growth,
    "response": response,
    "evaluation_twice": evaluation_twice,
    "metric_batches": metric_batches,
    "save_load": save_load,
    "compute_twice": compute_twice,
    "future_tokens": future_tokens,
    "padded_tokens": padded_tokens,
    "shuffled_labels": shuffled_labels,
}

SETTLES: dict[str, tuple[str, ...]] = {
    "softmax_before_loss": ("initial_loss", "overfit_batch"),
    "wrong_loss": ("initial_loss",),
    "missing_zero_grad": ("gradient_growth",),
    "step_before_backward": ("gradient_growth",),
    "evaluation_mode": ("evaluation_twice",),
    "last_batch_as_epoch": ("metric_batches",),
    "overwritten_total": ("metric_batches",),
    "count_over_batches": ("metric_batches",),
    "metric_not_reset": ("metric_batches",),
    "mean_of_batch_scores": ("metric_batches",),
    "unsorted_median": ("metric_batches",),
    "argmax_over_batch": ("metric_batches",),
    "unused_layer": ("gradients",),
    "layer_output_lost": ("gradients",),
    "ignored_parameter": ("response",),
    "parameter_not_forwarded": ("response",),
    "list_of_layers": ("save_load",),
    "functional_dropout": ("compute_twice",),
    "mask_after_softmax": ("padded_tokens", "future_tokens"),
    "inverted_mask": ("future_tokens",),
    "graph_cut": ("gradient_growth", "shuffled_labels"),
}
"""Detector to the probes that can settle its findings, asked in this order. A detector that is not here is `unprobed`."""
