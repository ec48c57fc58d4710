"""Guards: what is compared, when it breaks, and what a candidate could try against it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.gates.guards import Recorded, confirmed, measured, of_command, recorded, value_of
from branchlab.evals.metrics import score_of_json
from branchlab.evals.trial import Run, Score, Verdict
from branchlab.sandbox.fake import failed, ok
from branchlab.targets.errors import ArtifactError, TargetError
from branchlab.targets.target import Metric, read_target

from .toy_target import COMMIT, SCORE, STEPS, Toy

RECALL = Recorded("recall", metric="recall", direction="maximize", tolerance=0.05)
METRIC = Metric(name="accuracy", direction="maximize")


def runs(*values: float | None, seeds: tuple[int, ...] = (0, 1, 2, 3, 4, 5), split: str = "search") -> list[Run]:
    return [
        Run(seed, split, "ok", "", Score("accuracy", 0.5, extras={} if v is None else {"recall": v}, slices={} if v is None else
            {"rare": v}), 1.0, 1.0, 7.0 if v is None else v, "", "fake", predict_seconds=v, train_seconds=v, model_bytes=None
            if v is None else int(v * 1000))
        for seed, v in zip(seeds, values, strict=False)
    ]  # fmt: skip


def judge(guard: Recorded, mine: list[Run], base: list[Run]) -> Verdict:
    (verdict,) = measured([guard], mine, base, "maximize")
    assert verdict.gate == f"guard: {guard.name}"
    assert verdict.reason
    return verdict


def test_a_loss_beyond_the_tolerance_breaks_a_guard_and_one_within_does_not() -> None:
    base = runs(0.80, 0.81, 0.79)
    assert judge(RECALL, runs(0.78, 0.79, 0.77), base).passed
    assert not judge(RECALL, runs(0.70, 0.71, 0.69), base).passed
    assert judge(RECALL, runs(0.99, 0.99, 0.99), base).passed


@pytest.mark.parametrize("measure", ["latency", "train_seconds", "memory", "model_bytes"])
def test_of_what_is_measured_less_is_better(measure: str) -> None:
    guard = Recorded("small", measure=measure, relative=0.1)
    assert judge(guard, runs(1.05, 1.05), runs(1.0, 1.0)).passed
    assert not judge(guard, runs(1.2, 1.2), runs(1.0, 1.0)).passed
    assert judge(guard, runs(0.1, 0.1), runs(1.0, 1.0)).passed


def test_a_slice_goes_the_metrics_way() -> None:
    guard = Recorded("rare", slice="rare", tolerance=0.0)
    mine, base = runs(0.4, 0.4), runs(0.5, 0.5)
    assert not measured([guard], mine, base, "maximize")[0].passed
    assert measured([guard], mine, base, "minimize")[0].passed


def test_what_luck_could_have_done_is_said_and_the_mean_decides() -> None:
    base = runs(0.5, 0.5, 0.5)
    unsure = judge(RECALL, runs(0.40, 0.50, 0.60), base)
    assert (unsure.passed, "cannot be told" in unsure.reason) == (True, True)
    broken = judge(RECALL, runs(0.30, 0.42, 0.60), base)
    assert (broken.passed, "cannot be told" in broken.reason) == (False, True)
    assert "cannot be told" not in judge(RECALL, runs(0.5, 0.5, 0.5), base).reason
    assert "one seed" in judge(RECALL, runs(0.5), base).reason


@pytest.mark.parametrize(
    ("mine", "base"),
    [
        (runs(0.9, None), runs(0.5, 0.5)),  # leaves out the seed that would break it
        (runs(None, None), runs(0.5, 0.5)),
        (runs(0.9, 0.9), runs(0.5, None)),
        (runs(0.9, 0.9), []),
        ([], runs(0.5, 0.5)),
        (runs(0.9, 0.9, seeds=(8, 9)), runs(0.5, 0.5)),
        (runs(0.9, 0.9, split="confirm"), runs(0.5, 0.5)),
        ([replace(run, score=None) for run in runs(0.9, 0.9)], runs(0.5, 0.5)),
    ],
)
def test_a_value_that_is_missing_breaks_the_guard(mine: list[Run], base: list[Run]) -> None:
    assert not judge(RECALL, mine, base).passed


@given(
    losses=st.lists(st.floats(-1, 1), min_size=1, max_size=6),
    tolerance=st.floats(0, 1),
    more=st.floats(0, 1),
)
def test_a_wider_tolerance_never_breaks_what_a_narrower_one_let_pass(
    losses: list[float], tolerance: float, more: float
) -> None:
    base, mine = runs(*[2.0] * len(losses)), runs(*[2.0 - loss for loss in losses])
    narrow = judge(replace(RECALL, tolerance=tolerance), mine, base)
    wide = judge(replace(RECALL, tolerance=tolerance + more), mine, base)
    assert wide.passed or not narrow.passed


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_the_untouched_code_breaks_no_guard_of_its_own(values: list[float]) -> None:
    same = runs(*values)
    for guard in (replace(RECALL, tolerance=0.0), Recorded("fast", measure="latency", relative=0.0)):
        assert judge(guard, same, same).passed


def test_a_command_passes_with_exit_code_0_only() -> None:
    assert of_command("tests", ok()).passed
    assert not of_command("tests", failed("exited with status 1")).passed
    for status in ("timeout", "out_of_memory", "killed"):
        assert not of_command("tests", replace(ok(), status=status, return_code=0)).passed
    said = of_command("tests", replace(failed("exited with status 1"), log_head="a\n1 failed\n", log_tail="")).reason
    assert said.endswith("1 failed")


def test_a_winner_whose_command_never_ran_is_not_accepted() -> None:
    guard = Recorded("tests", command=("true",))
    assert not confirmed([guard], runs(0.5), runs(0.5), [], "maximize")[0].passed
    known = [Verdict("guard: tests", True, "exit code 0")]
    assert confirmed([guard], runs(0.5), runs(0.5), known, "maximize") == tuple(known)


def test_guards_come_back_from_the_ledger_as_they_went_in() -> None:
    row = {"name": "tests", "metric": None, "slice": None, "measure": None, "command": ["true"], "direction": None,
           "tolerance": None, "relative": None}  # fmt: skip
    assert recorded({"guards": [row]}) == (Recorded("tests", command=("true",)),)
    assert recorded({}) == ()


# slices


def test_slices_are_finite_numbers_by_name() -> None:
    assert score_of_json(b'{"accuracy": 0.5, "slices": {"rare": 0.25}}', METRIC, slices=True).slices == {"rare": 0.25}
    assert score_of_json(b'{"accuracy": 0.5}', METRIC, slices=True).slices == {}


@pytest.mark.parametrize(
    "slices", ["[0.5]", "0.5", '{"rare": "0.9"}', '{"rare": true}', '{"rare": null}', '{"r": [1]}']
)
def test_slices_that_are_something_else_are_no_score_where_they_are_asked_for(slices: str) -> None:
    body = f'{{"accuracy": 0.5, "slices": {slices}}}'.encode()
    with pytest.raises(ArtifactError, match="slice"):
        score_of_json(body, METRIC, slices=True)
    assert score_of_json(body, METRIC).slices == {}  # a target without such a guard may call anything so


# what the judge measures


def test_a_run_says_what_its_steps_took_and_how_large_the_model_is(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    found = toy.judge.run(toy.tree, COMMIT, 0, "search")
    assert found.train_seconds is not None
    assert found.predict_seconds is not None
    assert 0 < found.train_seconds + found.predict_seconds < found.device_seconds
    (toy.tree / "train.py").write_text(
        (toy.tree / "train.py").read_text() + "(out / 'more').write_bytes(b'x' * 5000)\n"
    )
    larger = toy.judge.run(toy.tree, COMMIT, 0, "search")
    assert larger.model_bytes == (found.model_bytes or 0) + 5000
    guard = Recorded("size", measure="model_bytes", relative=0.5)
    assert not judge(guard, [larger], [found]).passed


def test_a_candidate_that_writes_its_own_metrics_has_no_say_in_a_guard(tmp_path: Path) -> None:
    """Extras come from the evaluator of the base commit; what the candidate leaves beside its model is only weighed."""
    toy = Toy(tmp_path)
    (toy.pristine / "score.py").write_text(SCORE.replace('"rows": len(right)', '"recall": 0.1'))
    (toy.tree / "predict.py").write_text(
        (toy.tree / "predict.py").read_text() + "(out / 'metrics.json').write_text('{\"recall\": 1.0}')\n"
    )
    found = toy.renew().judge.run(toy.tree, COMMIT, 0, "search")
    assert value_of(RECALL, found) == 0.1


def test_a_command_sees_training_data_and_no_label(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    look = "import pathlib, sys; sys.exit(0 if pathlib.Path(sys.argv[1]).exists() and pathlib.Path('train.py').exists() else 3)"
    assert toy.judge.command(toy.tree, ("python", "-c", look, "{data}")).return_code == 0
    assert toy.judge.command(toy.tree, ("python", "-c", "raise SystemExit(3)")).return_code == 3
    assert not list((toy.folder / "scratch").iterdir())


# target.toml


@pytest.mark.parametrize(
    ("guards", "words"),
    [
        ("name='a'\nmetric='recall'\ntolerance=0.1", "guards[0].direction: key is missing"),
        ("name='a'\nmetric='recall'\ndirection='maximize'", "needs a tolerance; wanted one of tolerance, relative"),
        ("name='a'\nmeasure='latency'\ntolerance=0.1\nrelative=0.1", "found tolerance and relative"),
        ("name='a'\nmeasure='speed'\ntolerance=0.1", "'latency'"),
        ("name='a'\nmeasure='latency'\ntolerance=-0.1", "greater than or equal to 0"),
        ("name='a'\nmeasure='latency'\nrelative=nan", "guards[0].relative"),
        ("name='a'\ncommand=[]", "guards[0].command"),
        ("name='a'\ncommand='pytest -q'", "guards[0].command"),
        ("name='a'\ncommand=['true', '{labels}']", "unknown placeholder; wanted {data} or {out}; found {labels}"),
        ("name='a'\ncommand=['true']\ntolerance=0.1", "a command passes or fails"),
        ("name='a'", "guard a says not one thing"),
        ("name='a'\nslice='x'\nmeasure='memory'\ntolerance=1", "found slice and measure"),
        ("name='a'\nslice='x'\ntolerance=1\ndirection='maximize'", "is known already"),
        ("name='a'\nmetric='accuracy'\ndirection='maximize'\ntolerance=1", "is the metric itself"),
        ("name='a\\nb'\ncommand=['true']", "guards[0]"),
        ("name='a'\nfrobnicate=1", "unknown key"),
        ("name='a'\ncommand=['true']\n[[guards]]\nname='a'\ncommand=['false']", "a name is there twice"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_guard_is_one_line(tmp_path: Path, guards: str, words: str) -> None:
    toy = Toy(tmp_path)
    manifest = tmp_path / "target.toml"
    manifest.write_text(f"{manifest.read_text()}\n[[guards]]\n{guards}\n")
    with pytest.raises(TargetError) as caught:
        read_target(manifest)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert toy.target.guards == ()


def test_a_target_that_reports_its_own_metric_has_no_predict_step_to_time(tmp_path: Path) -> None:
    Toy(tmp_path)
    manifest = tmp_path / "target.toml"
    bare = manifest.read_text().replace(STEPS, "[steps]\ntrain = ['python', 'train.py', '{data}', '{out}', '{seed}']\n")
    manifest.write_text(f"{bare}\n[[guards]]\nname = 'fast'\nmeasure = 'latency'\nrelative = 0.1\n")
    with pytest.raises(TargetError, match=r"latency needs steps\.predict"):
        read_target(manifest)
