"""Names that may never be tuned, because turning them changes the measurement, not the model. A seed in the search
space is the classic error: the tuner then searches for luck."""

from .words import said, words

SEEDS = frozenset({"seed", "seeds", "rng", "random state", "manual seed", "entropy"})

MEASUREMENT = SEEDS | frozenset({
    # evaluation: how long, how large, on what, by which metric
    "eval", "evals", "evaluate", "evaluation", "val", "valid", "validate", "validation", "test", "testing", "dev",
    "holdout", "metric", "metrics", "score", "scoring", "benchmark", "threshold", "top k", "topk", "cutoff", "cutoffs",
    "split", "splits", "folds", "fold", "cv", "train size", "train frac", "train fraction", "train ratio",
    # data: where from, how much
    "path", "paths", "dir", "directory", "folder", "file", "filename", "files", "root", "url", "uri", "dataset",
    "datasets", "download", "n samples", "num samples", "max samples", "samples", "sample", "subset", "limit",
    "shard", "shards", "tokenizer",
    # time
    "timeout", "deadline", "budget", "time limit", "max time", "max hours", "sleep", "retries", "retry",
    # logging, saving, showing
    "log", "logs", "logging", "logger", "print", "verbose", "verbosity", "quiet", "debug", "save", "saves", "saving",
    "checkpoint", "checkpoints", "ckpt", "report", "plot", "plots", "display", "show", "progress", "bar", "wandb",
    "tensorboard", "every", "freq", "frequency", "interval", "resume", "version", "tag", "export", "dpi", "figsize",
    # machine
    "device", "gpu", "gpus", "cuda", "cpu", "mps", "port", "host", "hostname", "address", "worker", "workers",
    "threads", "n jobs", "jobs", "processes", "rank", "local rank", "world size", "backend", "pin memory", "prefetch",
    "dtype", "precision", "amp", "fp", "bf", "compile", "deterministic", "distributed", "ddp", "nodes", "master",
    "memory usage", "num threads",
    # guards of arithmetic
    "eps", "epsilon", "tol", "tolerance", "dryrun", "dry run", "ignore index",
    "task", "mode", "phase", "stage", "name",
    # where a run starts from, and who watches it
    "pretrained", "init from", "track", "tracking", "video", "videos", "capture", "upload", "push", "hub", "summary",
    "monitor", "inference", "project", "entity", "warnings", "accelerator", "devices", "strategy", "anomaly", "partial", "strict",
})  # fmt: skip
"""Never tuned, whatever target.toml says."""

PLACES = frozenset({"out", "output", "outdir", "outfile", "dest"})
"""Alone, a word for where results go; beside others, as in *out channels*, it may be anything."""

SHAPE = frozenset({
    "vocab", "vocab size", "classes", "num classes", "n classes", "labels", "num labels", "input", "inputs", "output",
    "outputs", "in features", "out features", "in channels", "out channels", "in dim", "out dim", "n features",
    "n items", "num items", "n users", "num users", "image", "img", "block size", "context", "context length",
    "seq len", "seq length", "sequence length", "max len", "maxlen", "max length", "max seq len", "kernel", "stride", "padding",
    "n digits", "ndigit", "groups", "shape", "expansion", "out shape", "in shape", "resolution", "crop",
})  # fmt: skip
"""Set by the data or by the shape of the evaluation: tuned only when target.toml gives them a range."""

EXCEPTIONS = frozenset({
    "device batch size", "per device", "per gpu batch size", "per device train batch size", "device train batch size",
    "min samples leaf", "min samples split", "drop path", "negative samples", "neg samples",
    # how often a learner learns is not how often it is logged
    "train frequency", "training frequency", "train freq", "update frequency", "update freq", "update every",
    "update interval", "target frequency", "target network frequency", "target freq", "policy frequency", "policy freq",
    # exploration and clipping, not guards of arithmetic; the weight of an entropy bonus, not the entropy of a seed
    "epsilon start", "epsilon end", "epsilon decay", "eps start", "eps end", "eps decay", "initial epsilon",
    "final epsilon", "clip eps", "clip epsilon", "entropy coef", "entropy coeff", "entropy coefficient",
    "entropy weight", "entropy bonus", "entropy reg", "entropy beta", "entropy cost",
})  # fmt: skip
"""Hyperparameters whose names hold one of those words."""

SCOPES = frozenset(
    "eval evaluate evaluation evaluator validate validation test metric metrics score scorer plot logger generate "
    "sample tokenizer benchmark visualize report".split()
)
"""A function or class whose name says one of these measures or shows; nothing inside it is tuned."""


def measures(name: str) -> str:
    """The word that says `name` belongs to the measurement; empty when none does."""
    parts = words(name)
    if len(parts) == 1 and parts[0] in PLACES:
        return parts[0]
    return "" if said(parts, EXCEPTIONS) else said(parts, MEASUREMENT)


def shaped(name: str) -> str:
    """The word that says `name` is set by the data; empty when none does."""
    return said(words(name), SHAPE)


def measuring_scope(qualified: str) -> str:
    """The word that says the code at `qualified` measures; empty when none does."""
    return said(words(qualified), SCOPES)
