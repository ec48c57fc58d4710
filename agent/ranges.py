"""From a name and a value to the range a tuner may search: a table of rules, first match wins.

The rules are those of the search-space section of the HPO protocol: positive scale parameters log-uniform in
default x [1/10, 10]; fractions clipped to [0, 1]; momentum-like ones by 1 - x; sizes to integers the code can use.
Durations stay within [1/4, 1] of their default: a tuner that may train longer buys its gain with compute. The budget
charges the seconds either way, but a longer run would also be compared with edits that may not have one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from ..targets.tunable import Value
from .words import said, words


@dataclass(frozen=True, slots=True)
class Range:
    rule: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Value, ...] | None = None

    @property
    def type(self) -> str:
        return type(self.choices[0] if self.choices else self.low).__name__


Maker = Callable[[float], Range | None]


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _scale(rule: str, *, most: float = float("inf")) -> Maker:
    def make(x: float) -> Range | None:
        if x <= 0:
            return None
        return Range(f"{rule}: log, default x [1/10, 10]", _round(x / 10), _round(min(10 * x, max(x, most))), True)

    return make


def _decay(x: float) -> Range | None:
    if x == 0:
        return Range("regularisation, off by default: [0, 0.1]", 0.0, 0.1)
    return _scale("regularisation")(x)


def _dropout(x: float) -> Range | None:
    return Range("dropout: [0, 0.8]", 0.0, _round(max(x, 0.8))) if 0 <= x < 1 else None


def _fraction(x: float) -> Range | None:
    return Range("fraction: [0, 1]", 0.0, 1.0) if 0 <= x <= 1 else None


def _retention(x: float) -> Range | None:
    """Momentum, betas, discounts: what matters is how far below one they are."""
    if not 0 <= x < 1:
        return None
    if 0 < x < 0.5:
        return _scale("decay factor, up to 1", most=1.0)(x)
    rest = 1 - x
    return Range("1 - x within x [1/10, 10]", round(max(0.0, 1 - 10 * rest), 9), round(1 - rest / 10, 9))


def _soft_update(x: float) -> Range | None:
    """The share of the online network that enters the target network: 1 copies it."""
    return Range("fraction: [0, 1]", 0.0, 1.0) if x == 1 else _retention(x)


def _coefficient(x: float) -> Range | None:
    if x == 0:
        return Range("coefficient, off by default: [0, 0.1]", 0.0, 0.1)
    return _factor(x)


def _factor(x: float) -> Range | None:
    return _scale("scale")(x)


def _duration(x: float) -> Range | None:
    if x < 2 or x != int(x):
        return None
    return Range("duration: [1/4, 1] of the default, so that tuning buys no compute", ceil(x / 4), int(x))


def _around(rule: str, factor: int) -> Maker:
    def make(x: float) -> Range | None:
        if x < 1 or x != int(x):
            return None
        return Range(f"{rule}: log, default x [1/{factor}, {factor}]", max(1, ceil(x / factor)), int(x * factor), True)

    return make


def _depth(x: float) -> Range | None:
    if x < 1 or x != int(x):
        return None
    return Range("depth: from 1 to twice the default", 1, int(2 * x))


def _grid(rule: str, factors: tuple[float, ...]) -> Maker:
    def make(x: float) -> Range | None:
        if x < 1 or x != int(x):
            return None
        choices = tuple(int(x * factor) for factor in factors if x * factor >= 1 and x * factor == int(x * factor))
        return Range(f"{rule}: default x a power of two, so that it stays divisible", choices=choices)

    return make


# (words, maker, whether the value is a float even when the literal is an integer)
_RULES: tuple[tuple[frozenset[str], Maker, bool], ...] = (
    (frozenset({"warmup", "warm up"}), _around("warm-up", 4), False),
    (frozenset({"accumulation", "accumulation steps", "accum", "accum steps"}), _duration, False),
    (frozenset({"step size", "t max", "lr step", "lr steps", "decay iters", "decay steps", "decay epochs"}),
     _around("schedule", 4), False),
    (frozenset({"train frequency", "training frequency", "train freq", "update frequency", "update freq",
                "update every", "update interval", "target frequency", "target network frequency", "target freq",
                "policy frequency", "policy freq"}), _around("interval", 4), False),
    (frozenset({"gae lambda", "td lambda"}), _retention, True),
    (frozenset({"tau", "polyak"}), _soft_update, True),
    (frozenset({"start e", "end e", "epsilon start", "epsilon end", "eps start", "eps end", "initial epsilon",
                "final epsilon", "exploration fraction"}), _fraction, True),
    (frozenset({"clip coef", "clip range", "clip ratio", "clip eps", "clip epsilon"}),
     _scale("clip, up to 1", most=1.0), True),
    (frozenset({"ent coef", "entropy coef", "entropy coeff", "entropy coefficient", "entropy weight", "entropy bonus",
                "entropy reg", "entropy beta", "entropy cost", "aux weight", "kl weight", "kl coef"}), _coefficient, True),
    (frozenset({"lr decay", "lr gamma", "decay factor", "ema decay", "momentum", "beta", "betas", "ema", "rho",
                "gamma", "discount"}), _retention, True),
    (frozenset({"corruption", "mask ratio", "mask prob", "ratio", "prob", "probability", "frac", "fraction",
                "subsample", "colsample", "mixup"}), _fraction, True),
    (frozenset({"weight decay", "wd", "l", "l reg", "reg", "regularization", "regularisation", "decay"}), _decay, True),
    (frozenset({"lr", "learning rate", "learningrate", "eta", "eta min"}), _scale("learning rate"), True),
    (frozenset({"dropout", "drop", "pdrop", "dropout rate", "drop rate", "drop path", "dropout prob"}), _dropout, True),
    (frozenset({"smoothing"}), _fraction, True),
    (frozenset({"epoch", "epochs", "nepoch", "nepochs", "steps", "timesteps", "iter", "iters", "iterations", "rounds", "updates",
                "patience", "max iter", "n iter", "num boost round", "niter"}), _duration, False),
    (frozenset({"batch", "batch size", "batchsize", "bs", "minibatch", "mini batch"}), _around("batch size", 4), False),
    (frozenset({"heads", "head", "nhead", "nheads"}), _grid("heads", (0.5, 1, 2)), False),
    (frozenset({"estimators", "trees", "leaves", "max depth", "neighbors", "neighbours", "components", "clusters",
                "min samples leaf", "min samples split", "min child weight", "bptt", "replay size", "negatives", "negative samples", "neg samples", "num ng", "num neg"}), _around("size", 4), False),
    (frozenset({"layer sizes", "layer size", "hidden sizes", "hidden size", "hidden dim", "hidden dims", "hidden units",
                "hidden layer sizes"}), _around("size", 4), False),
    (frozenset({"layers", "layer", "nlayers", "depth", "blocks", "n block"}), _depth, False),
    (frozenset({"embd", "embed", "embedding", "embeddings", "emb", "emsize", "dim", "dims", "d model", "channels"}),
     _grid("size", (0.25, 0.5, 1, 2, 4)), False),
    (frozenset({"hidden", "nhid", "bottleneck", "width", "widths", "units", "d ff", "ff", "ffn", "mlp", "filters", "features", "latent",
                "factors", "neurons"}), _around("size", 4), False),
    (frozenset({"scale", "mult", "multiplier", "ratio"}), _around("multiplier", 4), False),
    (frozenset({"clip", "max norm", "grad clip", "clip norm", "temperature", "temp", "alpha", "lambda", "lam", "lmbda",
                "coef", "coeff", "coefficient", "weight", "std", "initrange", "init range", "sigma", "margin", "scale", "noise", "c", "penalty",
                "strength"}), _factor, True),
)  # fmt: skip


def range_for(
    name: str, value: Value, *, generic: bool = False, declared: str = "", choices: tuple[str, ...] = ()
) -> Range | None:
    """The range of a hyperparameter called `name`; None when no rule fits.

    `generic`: the code itself offers it as a setting (an option, a field, a constructor's parameter), so a name that
    no rule knows is taken too. `declared`: `int` or `float` when the code says so. `choices`: a closed set seen there.
    """
    if isinstance(value, str):
        closed = tuple(dict.fromkeys((value, *choices))) if value in choices and len(set(choices)) > 1 else None
        return Range("closed set of strings in the code", choices=closed) if closed else None
    if isinstance(value, bool):
        return Range("switch", choices=(False, True)) if generic else None
    parts = words(name)
    is_known, is_number = False, isinstance(value, float) or declared == "float"
    for phrases, make, is_float in _RULES:
        phrase = said(parts, phrases)
        if phrase and not (phrase == "l" and not any(digit in name for digit in "12")):  # L1 and L2, not any L
            is_known = True
            # `lr_decay_iters`: a count is no learning rate, so a rule further down has the say.
            exact = is_float == is_number
            if exact or (is_float and declared != "int"):
                found = make(float(value))
                if found or exact:
                    return found
    return _unknown(value, declared) if generic and not is_known else None


def _unknown(value: float | int, declared: str) -> Range | None:
    """A setting of the code whose name no rule knows: careful with integers, which may be counts of anything."""
    if value <= 0:
        return None
    if isinstance(value, float) or declared == "float":
        return _scale("positive scale, fractions up to 1", most=1.0 if value < 1 else float("inf"))(float(value))
    return Range("integer setting: default x [1/2, 2]", max(1, ceil(value / 2)), 2 * value) if value > 1 else None
