"""How many more trials an hour a warm start allows, on trials whose own work takes half a second; whether results differ.

    python benchmarks/warm_start.py [--quick]

Two targets, each with and without warm starts, taking turns in one slot: one judged by train, predict and score (imports of
torch, torch and numpy; making the optimizer imports as much again), and one that is a single step and imports torch alone.
Own work is CPU seconds of the code once its imports are done. `speedup` is the smaller of the two ratios of trials an hour;
the start of the fork servers is in the hour. `bit_equal`: every trial left the same model and score, and the training steps
of shipped targets write the same bytes and print the same text, cold and warm (one target with --quick, else all). Last line
on stdout: one JSON object.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from branchlab.evals.judge import Judge
from branchlab.evals.trial import Run
from branchlab.sandbox import backends, environments
from branchlab.sandbox.runner import Limits, Runner, RunRequest
from branchlab.targets.preload import preload
from branchlab.targets.target import read_target

HOUR = 3600.0
QUICK, FULL = 2, 12
"""Trials of each kind, after the one that starts the servers."""
SHIPPED = ("digits_faulty", "digits_clean", "recommender")
WORK = """import time
import torch

def work(seconds):
    started = time.process_time()
    while time.process_time() - started < seconds:
        torch.mm(torch.ones(64, 64), torch.ones(64, 64))
"""
TRAIN = """import json, pathlib, sys
import torch
from work import work
torch.manual_seed(int(sys.argv[3]))
rows = torch.tensor(json.loads(pathlib.Path(sys.argv[1]).read_text()))
model = torch.nn.Linear(1, 1)
{optimizer}
for _ in range(50):
    loss = ((model(rows[:, :1]) - rows[:, 1:]) ** 2).mean()
    model.zero_grad()
    loss.backward()
    step()
work({work})
torch.save(model.state_dict(), sys.argv[2] + "/model.pt")
pathlib.Path(sys.argv[2], "metrics.json").write_text(json.dumps({{"error": loss.item()}}))
"""
OPTIMIZERS = {
    3: "step = torch.optim.SGD(model.parameters(), lr=0.01).step",
    1: "@torch.no_grad()\ndef step():\n    for weight in model.parameters():\n        weight -= 0.01 * weight.grad",
}
PREDICT = """import json, pathlib, sys
import torch
from work import work
weights = torch.load(sys.argv[1] + "/model.pt", weights_only=True)
inputs = torch.tensor(json.loads(pathlib.Path(sys.argv[2]).read_text()))
work({work})
found = (inputs[:, None] * weights["weight"] + weights["bias"]).flatten().tolist()
pathlib.Path(sys.argv[3], "predictions.json").write_text(json.dumps(found))
"""
SCORE = """import json, pathlib, sys, time
import numpy as np
paths = (sys.argv[1] + "/predictions.json", sys.argv[2])
found, wanted = (np.array(json.loads(pathlib.Path(path).read_text())) for path in paths)
started = time.process_time()
while time.process_time() - started < {work}:
    np.ones((64, 64)) @ np.ones((64, 64))
metrics = {{"error": float(((found - wanted) ** 2).mean()), "nonce": sys.argv[4]}}
pathlib.Path(sys.argv[3], "metrics.json").write_text(json.dumps(metrics))
"""
MANIFEST = """name = "small"
data = "data/train.json"
editable = ["train.py"]
[steps]
train = ["python", "train.py", "{{data}}", "{{out}}", "{{seed}}"]
{steps}
[metric]
name = "error"
direction = "minimize"
[environment]
warm = {warm}
{splits}
"""
STEPS = """predict = ["python", "predict.py", "{model}", "{inputs}", "{out}"]
score = ["python", "score.py", "{predictions}", "{labels}", "{out}", "{nonce}"]"""
SHARES = {3: (0.3, 0.15, 0.05), 1: (0.5, 0.0, 0.0)}
"""Seconds of own work of train, predict and score, by the number of steps."""


@dataclass
class Kind:
    """Trials of one target, cold or warm."""

    judge: Judge
    tree: Path
    seconds: list[float] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def trial(self, seed: int) -> Run:
        started = time.perf_counter()
        run = self.judge.run(self.tree, "c" * 40, seed, "search")
        self.seconds.append(time.perf_counter() - started)
        assert run.score, run.reason
        self.results.append(f"{run.model_sha256} {run.score.value}")
        return run

    @property
    def typical(self) -> float:
        """Seconds of a trial that starts no server."""
        return statistics.median(self.seconds[1:])

    @property
    def an_hour(self) -> float:
        """Trials: the first one, which also starts what must be started, and as many typical ones as fit."""
        return 1 + (HOUR - self.seconds[0]) / self.typical


def kind(folder: Path, runner: Runner, *, steps: int, warm: bool) -> Kind:
    """A project whose work is half a second in all, and its judge."""
    tree, data = folder / "repo", folder / "data"
    tree.mkdir(parents=True)
    data.mkdir()
    for name, text, work in zip(("train", "predict", "score"), (TRAIN, PREDICT, SCORE), SHARES[steps], strict=True):
        (tree / f"{name}.py").write_text(text.format(work=work, optimizer=OPTIMIZERS[steps]))
    (tree / "work.py").write_text(WORK)
    (data / "train.json").write_text(json.dumps([[x / 8, x / 4] for x in range(8)]))
    splits = ""
    for number, split in enumerate(("search", "confirm", "sealed") if steps == 3 else ()):
        splits += f'[splits.{split}]\ninputs = "data/{split}_x.json"\nlabels = "data/{split}_y.json"\n'
        (data / f"{split}_x.json").write_text("[1.0, 2.0]")
        (data / f"{split}_y.json").write_text(f"[2.0, 4.{number}]")
    text = MANIFEST.format(steps=STEPS if steps == 3 else "", warm=str(warm).lower(), splits=splits)
    (folder / "target.toml").write_text(text)
    target = read_target(folder / "target.toml")
    return Kind(Judge(target, runner, environments.find(), tree, folder / "scratch", folder / "models"), tree)


def measure(folder: Path, runner: Runner, steps: int, trials: int) -> tuple[Kind, Kind]:
    """The trials of a target, cold and warm."""
    cold = kind(folder / f"{steps}-cold", runner, steps=steps, warm=False)
    warm = kind(folder / f"{steps}-warm", runner, steps=steps, warm=True)
    for seed in range(trials + 1):
        backends_used = [each.trial(seed).backend for each in (cold, warm)]
        assert ["warm" in backend for backend in backends_used] == [False, True], backends_used
        say(f"{steps} steps, trial {seed}: cold {cold.seconds[-1]:.2f} s, warm {warm.seconds[-1]:.2f} s")
    return cold, warm


def shipped_is_equal(name: str, folder: Path, runner: Runner) -> bool:
    """Whether a shipped target's training writes and prints the same, cold and warm."""
    target = read_target(Path(backends.__file__).parents[1] / "targets" / name)
    repo, data = target.home / "repo", target.home / str(target.data)
    words = tuple(word.replace("{seed}", "3") for word in target.steps.train)
    interpreter = environments.find(None, target.environment.hide)
    limits = Limits(wall_seconds=target.limits.timeout, memory_mb=target.limits.memory_mb)
    found = []
    for index, modules in enumerate(((), preload(repo, words))):
        out = folder / f"{name}-{index}"
        out.mkdir()
        result = runner.run(RunRequest(words, interpreter, repo, out, limits, {"data": data}, preload=modules))
        assert result.status == "ok", result.reason
        assert ("warm" in result.backend) == bool(modules), result.backend
        found.append((result.artifacts, result.log_head))
    say(f"{name}: {'the same' if found[0] == found[1] else 'DIFFERENT'} bytes")
    return found[0] == found[1]


@contextmanager
def place() -> Iterator[Path]:
    """A folder that every account can walk to, as the runs of a root account are another's."""
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} trials of each kind instead of {FULL}")
    quick = parser.parse_args().quick
    runner = backends.choose("bubblewrap")
    with place() as folder:
        pairs = {steps: measure(folder, runner, steps, QUICK if quick else FULL) for steps in (3, 1)}
        shipped = [shipped_is_equal(name, folder, runner) for name in (SHIPPED[:1] if quick else SHIPPED)]
    ratios = {steps: warm.an_hour / cold.an_hour for steps, (cold, warm) in pairs.items()}
    figures: dict[str, object] = {
        "speedup": round(min(ratios.values()), 2),
        "bit_equal": all(shipped) and all(cold.results == warm.results for cold, warm in pairs.values()),
    }
    for steps, (cold, warm) in pairs.items():
        figures[f"speedup_{steps}_steps"] = round(ratios[steps], 2)
        figures[f"cold_{steps}_steps_ms"] = round(cold.typical * 1000)
        figures[f"warm_{steps}_steps_ms"] = round(warm.typical * 1000)
    figures |= {"load_average": round(os.getloadavg()[0], 2), "cores": len(os.sched_getaffinity(0))}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
