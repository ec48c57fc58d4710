from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.evals.gates import GATES, Gate
from branchlab.evals.gates.noise_floor import NoiseFloor
from branchlab.evals.noise import Noise, noise_of
from branchlab.evals.trial import Run, Score
from branchlab.sandbox.fake import FakeRunner, ok
from branchlab.targets.target import Target

from .toy_target import SAME_PROCESS, Toy


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Toy(tmp_path, runner=FakeRunner(lambda request: ok())).target


@pytest.fixture(params=sorted(GATES))
def gate(request: pytest.FixtureRequest) -> Gate:
    return GATES[request.param]


def runs(*values: float | None, evaluator: str | None = "e1") -> list[Run]:
    return [
        Run(seed, "search", "failed" if v is None else "ok", "", None if v is None else Score("accuracy", v), 1.0, 1.0, 1.0,
            "", "fake", evaluator_sha256=evaluator)
        for seed, v in enumerate(values)
    ]  # fmt: skip


def test_every_gate_gives_a_verdict_under_its_own_name_and_a_reason(gate: Gate, target: Target) -> None:
    for mine, theirs in (
        (runs(0.9, 0.91), runs(0.5, 0.51)),
        (runs(None, None), runs(0.5, 0.5)),
        ([], []),
        (runs(0.9), []),
    ):
        verdict = gate.judge(target, mine, theirs)
        assert verdict.gate == gate.name
        assert verdict.reason


def passes(target: Target, mine: list[Run], theirs: list[Run], noise: Noise | None = None) -> bool:
    return NoiseFloor(noise).judge(target, mine, theirs).passed


def test_a_clear_gain_passes_and_luck_does_not(target: Target) -> None:
    assert passes(target, runs(0.90, 0.91), runs(0.50, 0.52))
    assert not passes(target, runs(0.51, 0.53), runs(0.50, 0.52, ))  # fmt: skip
    assert not passes(target, runs(0.50, 0.52), runs(0.90, 0.91))


def test_equal_scores_never_pass(target: Target) -> None:
    assert not passes(target, runs(0.5, 0.6, 0.7), runs(0.5, 0.6, 0.7))
    assert not passes(target, runs(0.5, 0.5), runs(0.5, 0.5))


def test_direction_is_the_targets(target: Target) -> None:
    lower = target.model_copy(update={"metric": target.metric.model_copy(update={"direction": "minimize"})})
    assert passes(lower, runs(0.50, 0.52), runs(0.90, 0.91))
    assert not passes(lower, runs(0.90, 0.91), runs(0.50, 0.52))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (runs(0.9, None), runs(0.1, 0.1)),
        (runs(0.9), runs(0.1, 0.11)),
        (runs(0.9, 0.9), runs(0.1, None)),
        ([], runs(0.1, 0.11)),
        (runs(0.9, 0.9), []),
        (runs(0.9, 0.9, 0.9), runs(0.1, 0.11)),
    ],
)
def test_a_seed_that_failed_or_is_missing_never_passes(target: Target, mine: list[Run], theirs: list[Run]) -> None:
    assert not passes(target, mine, theirs)
    assert not passes(target, mine, theirs, Noise(0.001, 10, 0.1))


def test_noise_measured_on_more_runs_decides(target: Target) -> None:
    mine, theirs = runs(0.53, 0.55), runs(0.50, 0.52)
    assert passes(target, mine, theirs, Noise(0.005, 10, 0.5))
    assert not passes(target, mine, theirs, Noise(0.05, 10, 0.5))


def test_one_seed_needs_noise_measured_elsewhere(target: Target) -> None:
    assert not passes(target, runs(0.9), runs(0.1))
    assert passes(target, runs(0.9), runs(0.1), Noise(0.01, 5, 0.1))


def test_without_seed_variance_the_examples_decide(target: Target) -> None:
    def exact(right: int) -> list[Run]:
        values = (1.0,) * right + (0.0,) * (100 - right)
        return [replace(run, score=Score("accuracy", right / 100, values)) for run in runs(0.0, 0.0)]

    assert passes(target, exact(60), exact(40))
    assert not passes(target, exact(41), exact(40))  # one example of a hundred


def test_integrity_holds_when_one_evaluator_scored_everything(target: Target) -> None:
    gate = GATES["integrity"]
    assert gate.judge(target, runs(0.9), runs(0.5)).passed
    assert not gate.judge(target, runs(0.9, evaluator="e2"), runs(0.5)).passed
    assert not gate.judge(target, runs(0.9, evaluator=None), runs(0.5)).passed


def test_integrity_labels_what_reports_its_own_metric(tmp_path: Path) -> None:
    target = Toy(tmp_path, steps=SAME_PROCESS, runner=FakeRunner(lambda request: ok())).target
    verdict = GATES["integrity"].judge(target, runs(0.9, evaluator=None), runs(0.5, evaluator=None))
    assert verdict.passed
    assert verdict.reason.startswith("same-process")


def test_noise_of_fewer_than_two_scores_is_unknown() -> None:
    assert noise_of(runs(0.5, None)) is None
    found = noise_of(runs(0.5, None, 0.7))
    assert found is not None
    assert found.n == 2
    assert found.mean == pytest.approx(0.6)
    assert found.sd == pytest.approx(0.141421, rel=1e-5)


def test_the_minimum_detectable_effect_shrinks_with_seeds() -> None:
    noise = Noise(0.01, 6, 0.5)
    effects = [noise.minimum_detectable_effect(n) for n in (1, 5, 6, 10, 1000)]
    assert effects == sorted(effects, reverse=True)
    assert effects[:2] == [float("inf")] * 2, "five seeds cannot pass at 2.5 %"
    # (1.96 + 0.84) * sqrt(2) * sd / sqrt(n) where n is large.
    assert effects[-1] == pytest.approx(2.8016 * 2**0.5 * 0.01 / 1000**0.5, rel=0.01)
