"""How often rules of acceptance accept what is no better, and how often they find what is: simulated campaigns.

A campaign has 50 candidates and one reference. In a null campaign no candidate is better; in the others three are, by so many
standard deviations of a paired difference. Six kinds of luck; five rules, each given the same number of evaluations where its
own rule does not fix it. docs/statistics.md shows the table of the full run.

    python benchmarks/gate_calibration.py            # the table as Markdown on stderr, the last line is JSON
    python benchmarks/gate_calibration.py --quick    # fewer campaigns, under 50 s
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, t

from branchlab.evals.acceptance import ALPHA, Finalist, judge
from branchlab.evals.difference import difference, paired_gains
from branchlab.evals.trial import Run, Score

Array = NDArray[np.float64]
CANDIDATES, TRULY_BETTER = 50, 3
SCREEN_SEEDS, FINALISTS, PLANNED = 2, 4, 10
"""Two search seeds for each candidate; the best four by their mean go on to at most ten fresh seeds."""
EFFECTS = (1.0, 2.0, 3.0)
EXAMPLES = 200


# Kinds of luck. Each draws scores, (candidates + 1) x seeds x examples, the reference first; one example where a judge gives none.


@dataclass
class Luck:
    """One campaign's world: what is fixed for its candidates, and a new draw for each set of seeds."""

    rng: np.random.Generator
    effects: Array
    """Of the reference (0) and the candidates, in standard deviations of a paired difference."""
    traits: dict[str, Array] = field(default_factory=dict)

    def draw(self, seeds: int) -> Array:
        raise NotImplementedError


class Normal(Luck):
    def draw(self, seeds: int) -> Array:
        own = self.rng.normal(size=(len(self.effects), seeds))
        return (own + self.effects[:, None] * math.sqrt(2))[:, :, None]


class HeavyTailed(Luck):
    """Student's t with 2.5 degrees of freedom: a variance that few seeds cannot show."""

    def draw(self, seeds: int) -> Array:
        own = self.rng.standard_t(2.5, size=(len(self.effects), seeds))
        return (own + self.effects[:, None] * math.sqrt(2 * 2.5 / 0.5))[:, :, None]


class Heteroscedastic(Luck):
    """Candidates whose spread is a fifth to five times the reference's."""

    def draw(self, seeds: int) -> Array:
        if not self.traits:
            spread = np.exp(self.rng.uniform(-math.log(5), math.log(5), size=len(self.effects)))
            spread[0] = 1.0
            self.traits["spread"] = spread
        spread = self.traits["spread"][:, None]
        own = spread * self.rng.normal(size=(len(self.effects), seeds))
        return np.asarray((own + self.effects[:, None] * np.sqrt(1 + spread**2))[:, :, None])


class CorrelatedSeeds(Luck):
    """Nine tenths of the variance belong to the seed, and one seed's share leans on the last one's."""

    def draw(self, seeds: int) -> Array:
        common = np.zeros(seeds)
        for n in range(seeds):
            common[n] = 0.8 * (common[n - 1] if n else 0.0) + self.rng.normal() * 0.6
        own = math.sqrt(0.1) * self.rng.normal(size=(len(self.effects), seeds))
        return (math.sqrt(0.9) * common + own + self.effects[:, None] * math.sqrt(0.2))[:, :, None]


class BinaryExamples(Luck):
    """Right or wrong on 200 new examples: each example has a difficulty, each trained model an ability."""

    def draw(self, seeds: int) -> Array:
        difficulty = self.rng.normal(0.8, 1.2, size=EXAMPLES)
        ability = self.rng.normal(0.0, 0.25, size=(len(self.effects), seeds))
        # Of a paired difference, in logits: both models' ability, and the coins of 200 examples.
        unit = math.sqrt(2 * 0.25**2 + 2 / (0.16 * EXAMPLES))
        logits = difficulty + (ability + self.effects[:, None] * unit)[:, :, None]
        return np.asarray(self.rng.random(logits.shape) < 1 / (1 + np.exp(-logits)), dtype=np.float64)


class ExamplesAlone(Luck):
    """Nothing varies with the seed: the only luck is which 200 examples a split holds."""

    def draw(self, seeds: int) -> Array:
        answers = self.rng.normal(size=(len(self.effects), EXAMPLES))
        shifted = answers + self.effects[:, None] * math.sqrt(2 / EXAMPLES)
        return np.repeat(shifted[:, None, :], seeds, axis=1)


LUCK: dict[str, type[Luck]] = {
    "normal": Normal, "heavy-tailed": HeavyTailed, "heteroscedastic": Heteroscedastic,
    "correlated seeds": CorrelatedSeeds, "per-example binary": BinaryExamples, "examples alone": ExamplesAlone,
}  # fmt: skip


# Rules: accepted candidates and evaluations used. `fair` is how many evaluations the first rule needed.


def branchlab(luck: Luck, fair: int) -> tuple[set[int], int]:
    """The tool's own: a screen on two seeds, then the sequential test of the best four on fresh seeds of another split."""
    screened = luck.draw(SCREEN_SEEDS).mean(axis=(1, 2))
    family = [int(n) + 1 for n in np.argsort(-screened[1:], kind="stable")[:FINALISTS]]
    scores = luck.draw(PLANNED)
    used = SCREEN_SEEDS * (CANDIDATES + 1)
    ran = dict.fromkeys(family, 0)
    standings = judge({str(n): _finalist(scores, n, 0) for n in family}, PLANNED)
    for look in range(1, PLANNED + 1):
        running = [n for n in family if standings[str(n)].state == "undecided"]
        if not running:
            break
        used += len(running) + 1
        ran |= dict.fromkeys(running, look)
        standings = judge({str(n): _finalist(scores, n, ran[n]) for n in family}, PLANNED)
    return {n for n in family if standings[str(n)].better}, used


def single_seed(luck: Luck, fair: int) -> tuple[set[int], int]:
    """Better on one seed is kept."""
    scores = luck.draw(1).mean(axis=2)
    return _where(scores[1:, 0] > scores[0, 0]), CANDIDATES + 1


def mean_of_3(luck: Luck, fair: int) -> tuple[set[int], int]:
    scores = luck.draw(3).mean(axis=2)
    return _where(scores[1:].mean(axis=1) > scores[0].mean()), 3 * (CANDIDATES + 1)


def k_sigma(luck: Luck, fair: int) -> tuple[set[int], int]:
    """The paired gate that asks for a mean above one standard error, over three seeds."""
    gains = _gains(luck, 3)
    return _where(gains.mean(axis=1) > gains.std(axis=1, ddof=1) / math.sqrt(3)), 3 * (CANDIDATES + 1)


def bonferroni(luck: Luck, fair: int) -> tuple[set[int], int]:
    """Every candidate on as many seeds as the evaluations pay for, rounded up; paired t at ALPHA / 50."""
    seeds = max(2, math.ceil(fair / (CANDIDATES + 1)))
    return _where(_t(_gains(luck, seeds)) > t.ppf(1 - ALPHA / CANDIDATES, seeds - 1)), seeds * (CANDIDATES + 1)


def screened_t(luck: Luck, fair: int) -> tuple[set[int], int]:
    """The tool's screen, then a paired t at ALPHA / 4 over all ten seeds: what exactness and early stopping are worth."""
    screened = luck.draw(SCREEN_SEEDS).mean(axis=(1, 2))
    family = np.argsort(-screened[1:], kind="stable")[:FINALISTS]
    passed = _t(_gains(luck, PLANNED)[family]) > t.ppf(1 - ALPHA / FINALISTS, PLANNED - 1)
    return {int(n) + 1 for n in family[passed]}, SCREEN_SEEDS * (CANDIDATES + 1) + PLANNED * (FINALISTS + 1)


Rule = Callable[[Luck, int], tuple[set[int], int]]
RULES: dict[str, Rule] = {
    "branchlab": branchlab, "single seed, better is kept": single_seed, "mean of 3": mean_of_3,
    "paired, mean > 1 SE": k_sigma, "Bonferroni t": bonferroni, "same screen, then t": screened_t,
}  # fmt: skip


def _gains(luck: Luck, seeds: int) -> Array:
    scores = luck.draw(seeds).mean(axis=2)
    return np.asarray(scores[1:] - scores[0])


def _t(gains: Array) -> Array:
    spread = gains.std(axis=1, ddof=1)
    # Nothing varies: no t; a rule that divides by nothing would accept it.
    return np.where(spread > 1e-12, gains.mean(axis=1) / np.maximum(spread, 1e-12) * math.sqrt(gains.shape[1]), 0.0)


def _where(accepted: NDArray[np.bool_]) -> set[int]:
    return {int(n) + 1 for n in np.flatnonzero(accepted)}


def _finalist(scores: Array, number: int, seeds: int) -> Finalist:
    mine, theirs = _runs(scores[number, :seeds]), _runs(scores[0, :seeds])
    gains = list(paired_gains(mine, theirs, "maximize").values())
    return Finalist(gains, lambda level: difference(mine, theirs, "maximize", level=level))


def _runs(scores: Array) -> list[Run]:
    def score(values: Array) -> Score:
        return Score("score", float(values.mean()), tuple(values.tolist()) if len(values) > 1 else None)

    return [Run(n, "confirm", "ok", "", score(v), 1.0, 1.0, 1.0, "", "simulated") for n, v in enumerate(scores)]


# The table.


@dataclass
class Row:
    rule: str
    luck: str
    fwer: float
    fwer_upper: float
    """Upper end of the one-sided 95 % interval after Clopper & Pearson."""
    power: dict[float, float]
    """Effect to the mean share of the truly better that was accepted."""
    evaluations: float
    """Mean over null campaigns."""


def upper(hits: int, n: int) -> float:
    return 1.0 if hits == n else float(beta.ppf(0.95, hits + 1, n - hits))


def measure(rule: str, luck: str, null: int, other: int, fair: dict[float, int]) -> Row:
    """Runs the campaigns; `fair` is filled by the tool's own rule with what it used, and read by the others. These need fewer
    null campaigns: nobody asks for a close bound on them."""
    own = rule == "branchlab"
    null = null if own else null // 4
    hits, used = 0, []
    for n in range(null):
        accepted, evaluations = RULES[rule](_world(luck, n, 0.0), fair.get(0.0, 0))
        hits += bool(accepted)
        used.append(evaluations)
    power: dict[float, float] = {}
    if own:
        fair[0.0] = round(sum(used) / len(used))
    for effect in EFFECTS:
        found, spent = [], []
        for n in range(other):
            accepted, evaluations = RULES[rule](_world(luck, 1_000_000 + n, effect), fair.get(effect, 0))
            found.append(len(accepted & set(range(1, TRULY_BETTER + 1))) / TRULY_BETTER)
            spent.append(evaluations)
        power[effect] = sum(found) / len(found)
        if own:
            fair[effect] = round(sum(spent) / len(spent))
    return Row(rule, luck, hits / null, upper(hits, null), power, sum(used) / len(used))


def _world(luck: str, number: int, effect: float) -> Luck:
    effects = np.zeros(CANDIDATES + 1)
    effects[1 : TRULY_BETTER + 1] = effect
    return LUCK[luck](np.random.default_rng([number, sorted(LUCK).index(luck)]), effects)


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| luck | rule | false acceptance | upper bound | "
        + " | ".join(f"found at {e:g} sd" for e in EFFECTS)
        + " | evaluations |",
        "|" + "---|" * (5 + len(EFFECTS)),
    ]
    for row in rows:
        power = " | ".join(f"{row.power[e]:.2f}" for e in EFFECTS)
        lines.append(
            f"| {row.luck} | {row.rule} | {row.fwer:.3f} | {row.fwer_upper:.3f} | {power} | {row.evaluations:.0f} |"
        )
    return "\n".join(lines)


def ratio(rows: Sequence[Row], resolution: float) -> float:
    """The smallest ratio of our power to Bonferroni's over kinds of luck and effects, where either finds anything; a rule
    that found nothing counts as having found one in all its campaigns."""
    ours = {row.luck: row.power for row in rows if row.rule == "branchlab"}
    theirs = {row.luck: row.power for row in rows if row.rule == "Bonferroni t"}
    pairs = [(ours[luck][e], theirs[luck][e]) for luck in ours for e in EFFECTS]
    return min(a / max(b, resolution) for a, b in pairs if max(a, b) > 5 * resolution)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer campaigns, under 50 s")
    quick = parser.parse_args().quick
    null, other = (400, 25) if quick else (4000, 400)
    rows, began = [], time.monotonic()
    for luck in LUCK:
        fair: dict[float, int] = {}
        for rule in RULES:
            rows.append(measure(rule, luck, null, other, fair))
        print(f"{luck}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(table(rows), file=sys.stderr)
    worst = max(row.fwer_upper for row in rows if row.rule == "branchlab")
    result = {
        "fwer_upper": round(worst, 4),
        "power_ratio_vs_bonferroni": round(ratio(rows, 1 / (other * TRULY_BETTER)), 3),
        "campaigns": null,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
