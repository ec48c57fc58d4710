"""A GPU from target.toml to the ledger and what `show` prints of it."""

import io
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from branchlab.agent.show_view import trial_detail
from branchlab.evals.rows import decode_trial, encode_trial
from branchlab.evals.trial import Run, Score, Trial
from branchlab.sandbox.fake import FakeRunner, ok
from branchlab.sandbox.runner import ANY_GPU, GpuUse, RunRequest, RunResult
from branchlab.targets.errors import TargetError
from branchlab.targets.target import read_target

from .sample_run import RUN_ID, sample_ledger
from .toy_target import COMMIT, Toy

USE = GpuUse(("GPU-a",), 700.0, 1, 100.0, 2, 150.0, 3.0)


def on_gpu(toy: Toy, limits: str) -> None:
    file = toy.folder / "target.toml"
    file.write_text(file.read_text().replace("[limits]", f"[limits]\n{limits}"))
    toy.target = read_target(file)


def test_a_target_may_ask_for_a_gpu_and_limit_its_memory(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    assert (toy.target.limits.gpu, toy.target.limits.gpu_memory_mb) == (False, None)
    on_gpu(toy, "gpu = true\ngpu_memory_mb = 2000")
    assert (toy.target.limits.gpu, toy.target.limits.gpu_memory_mb) == (True, 2000)


@pytest.mark.parametrize(
    ("limits", "message"),
    [("gpu = true\ngpu_memory_mb = 0", "gpu_memory_mb"), ("gpu_memory_mb = 2000", "gpu_memory_mb.*limits.gpu = true"),
     ("gpu = 1", "gpu")],
)  # fmt: skip
def test_a_limit_of_no_gpu_is_a_mistake(tmp_path: Path, limits: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        on_gpu(Toy(tmp_path), limits)


def answer(request: RunRequest) -> RunResult:
    """Each step on another GPU; the evaluator is the real one."""
    step = request.out.name.removesuffix("-out")
    if step == "train":
        (request.out / "model.json").write_text("{}")
    if step == "predict":
        (request.out / "predictions.json").write_text("[]")
    if step == "score":
        nonce = request.argv[-1]
        (request.out / "metrics.json").write_text(json.dumps({"accuracy": 0.5, "nonce": nonce}))
    if request.gpu is None:
        return ok()
    peak = {"train": 700.0, "predict": 200.0, "score": 10.0}[step]
    return replace(ok(), gpu=GpuUse((f"GPU-{step}",), peak, 1, 100.0, 0, 0.0, 1.5))


def test_every_step_asks_for_a_gpu_and_the_run_keeps_what_all_of_them_did(tmp_path: Path) -> None:
    runner = FakeRunner(answer)
    toy = Toy(tmp_path, runner=runner)
    on_gpu(toy, "gpu = true\ngpu_memory_mb = 2000")
    run = toy.new_judge().run(toy.tree, COMMIT, 0, "search")
    assert run.status == "ok", run.reason
    assert [(r.gpu, r.limits.gpu_memory_mb) for r in runner.requests] == [(ANY_GPU, 2000)] * 3
    assert run.gpu
    assert sorted(run.gpu.devices) == ["GPU-predict", "GPU-score", "GPU-train"]
    assert (run.gpu.peak_memory_mb, run.gpu.waited_seconds, run.gpu.others_at_start) == (700.0, 4.5, 1)
    assert run.device_seconds == 3.0, "device seconds are those of the slot, without the waiting"


def test_a_kept_model_keeps_what_its_training_did_on_the_gpu(tmp_path: Path) -> None:
    """The same run again, cut off after training: its charge comes from what was kept."""
    toy = Toy(tmp_path, runner=FakeRunner(answer))
    on_gpu(toy, "gpu = true")
    judge = toy.new_judge()
    first = judge.run(toy.tree, COMMIT, 0, "confirm", keep_model=True)
    again = judge.run(toy.tree, COMMIT, 0, "confirm", keep_model=True)
    assert first.gpu
    assert again.gpu
    assert again.gpu.peak_memory_mb == first.gpu.peak_memory_mb == 700.0


def test_a_target_without_a_gpu_asks_for_none(tmp_path: Path) -> None:
    runner = FakeRunner(answer)
    run = Toy(tmp_path, runner=runner).judge.run(tmp_path / "tree", COMMIT, 0, "search")
    assert {r.gpu for r in runner.requests} == {None}
    assert run.gpu is None


def trial(gpu: GpuUse | None) -> Trial:
    run = Run(0, "search", "ok", "", Score("a", 0.5), 1.0, 1.0, 10.0, "log", "bubblewrap (watchdog)", gpu=gpu)
    return Trial("t", "r", "edits", "search", "c", "p", {}, None, (run,), (), "keep", 1.0)


@pytest.mark.parametrize("gpu", [None, USE, replace(USE, devices=("GPU-a", "GPU-b"))])
def test_rows_give_back_what_was_written(gpu: GpuUse | None) -> None:
    assert decode_trial(*encode_trial(trial(gpu))) == trial(gpu)


def test_a_row_of_a_version_that_knew_no_gpu_is_read() -> None:
    body, blob = encode_trial(trial(USE))
    fields = json.loads(body)
    assert fields["runs"][0].pop("gpu") == json.loads(json.dumps(asdict(USE)))
    assert decode_trial(json.dumps(fields), blob) == trial(None)


def test_show_names_the_peak_on_the_gpu_and_who_else_was_there(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    base = ledger.trials(RUN_ID)[0]
    runs = (
        replace(base.runs[0], gpu=USE),
        replace(base.runs[0], seed=99, gpu=replace(USE, others_at_start=0, others_at_end=0)),
    )
    ledger.add_trial(replace(base, id="onagpu000000", runs=runs))
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(trial_detail(ledger, RUN_ID, "onagpu"))
    text = console.export_text()
    assert re.search(r"MB, GPU 700 MB beside 2 of others", text)
    assert re.search(r"MB, GPU 700 MB(?! beside)", text)
