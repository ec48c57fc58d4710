import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.evals.judge import Judge
from branchlab.evals.metrics import score_of_json
from branchlab.evals.trial import Run
from branchlab.sandbox.fake import FakeRunner, failed, ok
from branchlab.sandbox.runner import Interpreter
from branchlab.targets.errors import ArtifactError, TargetError
from branchlab.targets.target import Metric, read_target

from .toy_target import COMMIT, SAME_PROCESS, STEPS, Toy


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def run(toy: Toy, split: str = "search", *, keep: bool = False, seed: int = 0) -> Run:
    return toy.judge.run(toy.tree, COMMIT, seed, split, keep_model=keep)


def score_writes(toy: Toy, text: str) -> Run:
    """A run whose evaluator writes this text as its metrics."""
    (toy.pristine / "score.py").write_text(f"import sys\nopen(sys.argv[3] + '/metrics.json', 'w').write({text!r})\n")
    return toy.new_judge().run(toy.tree, COMMIT, 0, "search")


def test_three_steps_give_a_score(toy: Toy) -> None:
    found = run(toy)
    assert found.status == "ok", found.reason
    assert found.score is not None
    assert found.score.value == 7 / 8
    assert found.score.per_example == (1.0,) * 7 + (0.0,)
    assert found.score.extras == {"rows": 8.0}
    assert found.backend.startswith("unconfined")
    assert found.model_sha256
    assert found.evaluator_sha256
    assert found.device_seconds > 0


def test_nothing_is_left_behind(toy: Toy) -> None:
    run(toy)
    assert not list((toy.folder / "scratch").iterdir())
    assert not list((toy.folder / "models").iterdir())


def test_each_step_sees_only_what_it_should(tmp_path: Path) -> None:
    runner = FakeRunner(lambda request: ok())
    toy = Toy(tmp_path, runner=runner)
    run(toy)
    train, predict, score = runner.requests
    assert set(train.mounts) == {"data"}
    assert set(predict.mounts) == {"model", "inputs"}
    assert set(score.mounts) == {"predictions", "labels"}
    assert (train.work, predict.work, score.work) == (toy.tree, toy.tree, toy.pristine)
    assert score.argv[:3] == ("python", "-I", "score.py")
    labels = {toy.folder / "data" / f"{split}_y.json" for split in ("search", "confirm", "sealed")}
    assert not labels & {path for request in (train, predict) for path in request.mounts.values()}


def test_what_is_imported_before_a_run_is_the_base_commits_choice(tmp_path: Path) -> None:
    runner = FakeRunner(lambda request: ok())
    toy = Toy(tmp_path, runner=runner)
    for name, module in (("train", "numpy"), ("score", "pandas")):
        (toy.pristine / f"{name}.py").write_text(f"import json, {module}\n")
    (toy.tree / "train.py").write_text("import antigravity, chosen_by_a_candidate\n")
    run(toy.renew())
    assert [request.preload for request in runner.requests] == [("numpy",), (), ("pandas",)]
    runner.requests.clear()
    manifest = tmp_path / "target.toml"
    manifest.write_text(manifest.read_text() + "[environment]\nwarm = false\n")
    toy.target = read_target(manifest)
    run(toy.renew())
    assert [request.preload for request in runner.requests] == [()] * 3


def test_costs_of_all_steps_are_summed_also_when_one_fails(tmp_path: Path) -> None:
    answers = iter((ok(device_seconds=2.0), failed("exited with status 1", device_seconds=3.0)))
    found = run(Toy(tmp_path, runner=FakeRunner(lambda request: next(answers))))
    assert (found.status, found.reason) == ("failed", "predict: exited with status 1")
    assert (found.device_seconds, found.score) == (5.0, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"accuracy": NaN}', "finite"),
        ('{"accuracy": 1e999}', "finite"),
        ('{"accuracy": "0.9"}', "not a number"),
        ('{"accuracy": true}', "not a number"),
        ('{"accuracy": null}', "not a number"),
        ('{"accuracy": [0.9]}', "not a number"),
        ('{"accuracy": 0.9, "accuracy": 0.8}', "twice"),
        ('{"other": 0.9}', "no metric accuracy"),
        ("[0.9]", "not a JSON object"),
        ("accuracy: 0.9", "not JSON"),
        ("", "not JSON"),
        ('{"accuracy": 0.9}', "nonce"),
        ('{"accuracy": 0.9, "nonce": "0"}', "nonce"),
        ("[" * 100_000, "nesting"),
    ],
)
def test_a_metric_that_is_not_one_finite_number_is_no_score(toy: Toy, text: str, reason: str) -> None:
    if "nonce" not in reason and text.startswith("{"):
        steps = STEPS.replace(', "{nonce}"]', "]")
        folder = toy.folder / "again"
        folder.mkdir()
        toy = Toy(folder, steps=steps)
    found = score_writes(toy, text)
    assert (found.status, found.score) == ("no_score", None)
    assert reason in found.reason


@pytest.mark.parametrize("values", ["[0.5, 0.5]", "[]", '["0.9"]', "[true, 1.0]", "0.9", "[0.9, 1e400]"])
def test_per_example_values_must_add_up_to_the_metric(tmp_path: Path, values: str) -> None:
    toy = Toy(tmp_path, steps=STEPS.replace(', "{nonce}"]', "]"))
    found = score_writes(toy, f'{{"accuracy": 0.9, "per_example": {values}}}')
    assert (found.status, found.score) == ("no_score", None)


def test_metrics_that_are_missing_or_a_link_are_no_score(toy: Toy) -> None:
    (toy.pristine / "score.py").write_text("")
    assert run(toy.renew()).status == "no_score"
    (toy.pristine / "score.py").write_text("import os, sys; os.symlink('/etc/passwd', sys.argv[3] + '/metrics.json')")
    found = run(toy.renew())
    assert (found.status, found.score) == ("no_score", None)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(1)", "failed"),
        ("import os; os._exit(0)", "failed"),  # ends well, leaves no model: predict fails
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "failed"),
        ("this is not python", "failed"),
    ],
)
def test_a_candidate_that_crashes_is_a_value(toy: Toy, code: str, status: str) -> None:
    (toy.tree / "train.py").write_text(code)
    found = run(toy)
    assert (found.status, found.score) == (status, None)
    assert found.reason


def test_a_command_that_does_not_exist_is_a_value(tmp_path: Path) -> None:
    found = run(Toy(tmp_path, steps=STEPS.replace('train = ["python"', 'train = ["no-such-program-here"')))
    assert (found.status in ("failed", "sandbox_failed"), found.score) == (True, None)
    assert found.reason


def test_endless_output_and_a_hang_are_values(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.target = toy.target.model_copy(update={"limits": toy.target.limits.model_copy(update={"timeout": 1.5})})
    (toy.tree / "train.py").write_text("import os\nwhile True: os.write(1, b'x' * 65536)")
    found = run(toy.renew())
    assert (found.status, found.score) == ("timeout", None)
    assert len(found.log) < 1_000_000


def test_labels_in_the_candidates_tree_are_no_score(toy: Toy) -> None:
    (toy.tree / "cache.bin").write_bytes((toy.folder / "data" / "sealed_y.json").read_bytes())
    found = run(toy)
    assert (found.status, found.device_seconds) == ("no_score", 0.0)
    assert "cache.bin" in found.reason


def test_labels_in_the_training_data_are_the_users_mistake(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.target = toy.target.model_copy(update={"data": "data"})
    with pytest.raises(TargetError, match=r"labels of a split.*_y\.json"):
        toy.new_judge()


def test_labels_among_the_interpreters_folders_are_the_users_mistake(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    everything = Interpreter(Path(sys.executable), (tmp_path,))
    folders = (toy.pristine, tmp_path / "scratch", tmp_path / "models")
    with pytest.raises(TargetError, match="a folder that every run sees"):
        Judge(toy.target, toy.runner, everything, *folders)
    Judge(toy.target, toy.runner, replace(everything, hide=(tmp_path / "data",)), *folders)


def test_a_missing_split_is_the_users_mistake(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    (tmp_path / "data" / "sealed_y.json").unlink()
    with pytest.raises(TargetError, match=r"splits\.sealed\.labels"):
        toy.new_judge()


def test_an_evaluator_changed_while_it_runs_gives_no_score(toy: Toy) -> None:
    (toy.pristine / "score.py").write_text("import sys\nopen(__file__, 'a').write('#')\n")
    found = run(toy.renew())
    assert (found.status, found.score) == ("no_score", None)
    assert "changed while" in found.reason


def test_the_evaluator_of_the_candidate_is_never_used(toy: Toy) -> None:
    (toy.tree / "score.py").write_text("open('/nonexistent/forged', 'w')")
    assert run(toy).score is not None


def test_sealed_predicts_from_the_very_model_that_was_confirmed(toy: Toy) -> None:
    confirmed = run(toy, "confirm", keep=True)
    (toy.tree / "train.py").write_text("raise SystemExit('must not train again')")
    sealed = run(toy, "sealed")
    assert sealed.status == "ok", sealed.reason
    assert sealed.model_sha256 == confirmed.model_sha256
    assert (toy.folder / "models" / f"{COMMIT}-0").is_dir()


def test_sealed_without_a_kept_model_never_trains(toy: Toy) -> None:
    found = run(toy, "sealed")
    assert (found.status, found.device_seconds) == ("no_score", 0.0)


@pytest.mark.parametrize("how", ["changed", "added", "removed", "no record"])
def test_a_kept_model_that_was_touched_is_no_score(toy: Toy, how: str) -> None:
    run(toy, "confirm", keep=True)
    home = toy.folder / "models" / f"{COMMIT}-0"
    file = home / "model" / "model.json"
    if how == "changed":
        file.chmod(0o644)
        file.write_text('{"slope": 4.0}')
    elif how == "added":
        (home / "model" / "more.json").write_text("{}")
    elif how == "removed":
        file.unlink()
    else:
        (home / "kept.json").unlink()
    found = run(toy, "sealed")
    assert (found.status, found.score) == ("no_score", None)


def test_a_confirmation_that_is_resumed_is_charged_its_training_once_more(tmp_path: Path) -> None:
    def answer(request):  # type: ignore[no-untyped-def]
        if "labels" in request.mounts:
            nonce = request.argv[-1]
            (request.out / "metrics.json").write_text(json.dumps({"accuracy": 0.5, "nonce": nonce}))
        return ok(device_seconds=10.0 if "data" in request.mounts else 1.0)

    toy = Toy(tmp_path, runner=FakeRunner(answer))
    assert run(toy, "confirm", keep=True).device_seconds == 12.0
    assert run(toy, "confirm", keep=True).device_seconds == 12.0
    assert run(toy, "sealed").device_seconds == 2.0


def test_the_tree_does_not_change(toy: Toy) -> None:
    before = {path.name: path.read_bytes() for path in toy.tree.iterdir()}
    run(toy)
    assert {path.name: path.read_bytes() for path in toy.tree.iterdir() if path.is_file()} == before


# targets whose own process reports the metric


def same_process(folder: Path, code: str, metric: str = "") -> Run:
    toy = Toy(folder, steps=SAME_PROCESS, metric=metric)
    (toy.tree / "train.py").write_text(code)
    return run(toy)


def test_same_process_reads_the_metrics_file(tmp_path: Path) -> None:
    found = same_process(tmp_path, "import sys\nopen(sys.argv[2] + '/metrics.json', 'w').write('{\"accuracy\": 0.75}')")
    assert found.score is not None
    assert (found.score.value, found.evaluator_sha256) == (0.75, None)


PRINTED = "stdout = 'accuracy: ([0-9.e+naif-]+)'"


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("accuracy: 0.1\naccuracy: 0.9", 0.9),
        ("accuracy: 0.1 accuracy: 0.3\nbye", 0.3),
        ("progress\raccuracy: 0.5\r", 0.5),
        ("accuracy: nan", None),
        ("accuracy: 1e999", None),
        ("accuracy: 0.1\naccuracy: inf", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_same_process_takes_the_last_line_that_matches(tmp_path: Path, printed: str, value: float | None) -> None:
    found = same_process(tmp_path, f"print({printed!r})", PRINTED)
    assert (found.score.value if found.score else None) == value
    assert found.status == ("no_score" if value is None else "ok")


def test_a_metric_lost_in_the_middle_of_long_output_is_no_score(tmp_path: Path) -> None:
    code = "print('accuracy: 0.9')\nfor n in range(100000): print('noise', n)"
    assert same_process(tmp_path, code, PRINTED).score is None


def test_a_log_written_against_the_regular_expression_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("branchlab.evals.metrics.MATCH_SECONDS", 0.5)
    found = same_process(tmp_path, "print('a' * 200 + '!')", "stdout = '(?:a+)+b([0-9])'")
    assert (found.status, found.score) == ("no_score", None)
    assert "too long" in found.reason


@pytest.mark.parametrize("groups", [["a", "b"], "abc", ["a", "b", 1.5], ["a", "b", True], {"a": 1}])
def test_groups_that_do_not_fit_the_examples_are_no_score(groups: object) -> None:
    data = json.dumps({"acc": 0.5, "per_example": [0.0, 0.5, 1.0], "groups": groups}).encode()
    with pytest.raises(ArtifactError, match="group"):
        score_of_json(data, Metric(name="acc", direction="maximize"))


def test_groups_are_numbered_in_order_of_appearance() -> None:
    data = json.dumps({"acc": 0.5, "per_example": [0.0, 0.5, 1.0], "groups": ["u7", 3, "u7"]}).encode()
    assert score_of_json(data, Metric(name="acc", direction="maximize")).groups == (0, 1, 0)
