"""A made-up ledger for tests of the report and of `branchlab show`. None of its numbers was ever measured."""

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from branchlab.evals.ledger import Ledger, RunRecord
from branchlab.evals.trial import Arm, Decision, Phase, ProposalRecord, Run, Score, Trial, Verdict

RUN_ID = "r20260301-7f3a"
BASE = hashlib.sha1(b"base", usedforsecurity=False).hexdigest()
SEARCH_SEEDS, CONFIRM_SEEDS = (0, 1), (100, 101, 102, 103, 104, 105, 106, 107)

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "</code></pre><h1 id=owned>owned</h1>",
    '"><svg onload=alert(1)>',
    "| a | b |\n|---|---|\n\n# heading\n```\nfence\n````\n~~~",
    "rtl \u202egnp.exe\u202c bell \x07 escape \x1b[31mred\x1b[0m nul \x00 lone \ud800 zero\u200bwidth",
    "{{ 7 * 7 }} {% raw %} {# no #} ${7*7}",
    "https://evil.example/?q=1 @everyone www.evil.example <!-- comment --> &lt;b&gt; -->",
    "]]><style>*{display:none}</style>",
)
"""What a model, a repository or a log may hold; every one of them has to arrive as text."""

DIFF = """\
diff --git a/train.py b/train.py
index 1111111..2222222 100644
--- a/train.py
+++ b/train.py
@@ -31,8 +31,8 @@ def train_epoch(model, loader, optimizer):
     model.train()
     for images, labels in loader:
         logits = model(images)
-        loss = F.cross_entropy(F.softmax(logits, dim=1), labels)
+        loss = F.cross_entropy(logits, labels)
+        optimizer.zero_grad()
         loss.backward()
         optimizer.step()
     return float(loss)
-
"""

_KEPT = (
    ("bug_fix", "Clear gradients before each backward pass", "defects", 0.021,
     "Gradients of earlier batches are added to those of the current one, because nothing clears them."),
    ("bug_fix", "Give raw logits to cross_entropy", "defects", 0.012,
     "cross_entropy applies log-softmax itself; a softmax before it flattens the loss and its gradients."),
    ("architecture", "Add batch normalisation after the first linear layer", "architecture", 0.007,
     "Activations of the first layer are not normalised, and the inputs differ in scale by a factor of sixteen."),
    ("data", "Shuffle the training loader", "defects", 0.006,
     "The training set is stored in order of its classes, and the loader keeps that order in every epoch."),
)  # fmt: skip


class SampleRun:
    """Writes one plausible run into a ledger: five arms, some failures, four kept edits.

    With `hostile` every text that comes from a stranger is one of HOSTILE.
    """

    def __init__(self, ledger: Ledger, *, hostile: bool = False, gain: float = 1.0, run_id: str = RUN_ID) -> None:
        self.ledger, self.hostile, self.gain, self.run_id = ledger, hostile, gain, run_id
        self.random = random.Random(7)
        self._hostile = random.Random(11)
        self._clock = 1_770_000_000.0

    def write(self) -> str:
        self.ledger.start_run(RunRecord(self.run_id, self.text("digits_faulty"), BASE, self._clock, "running", "",
                                        self.settings()))  # fmt: skip
        for seed in (0, 1, 1_000_000):
            self.trial("baseline", "calibrate", BASE, BASE, 0.902, seeds=(seed,))
        edited = self.edits()
        self.tuner("random", 0.006)
        self.tuner("tuner", 0.011)
        merged = self.edits_and_tuner(edited)
        self.confirm({"baseline": BASE, "random": "random-best", "tuner": "tuner-best", "edits": edited,
                      "edits+tuner": merged})  # fmt: skip
        self.ledger.charge_model(self.run_id, "edits", model=self.text("example/model-1"), input_tokens=48_210,
                                 output_tokens=6_144, dollars=0.2134, purpose="propose")  # fmt: skip
        self.ledger.charge_device(self.run_id, "edits", seconds=2.5, purpose="cut off by a stop")
        self.ledger.set_status(self.run_id, "done")
        return self.run_id

    def settings(self) -> Mapping[str, Any]:
        """What a session writes beside a run."""
        text = self.text
        arms = ["baseline", "random", "tuner", "edits", "edits+tuner"]
        return {
            "target_ref": text("digits_faulty"), "user_repo": text("/home/user/digits"), "arms": arms,
            "metric": text("accuracy"), "direction": "maximize", "integrity": "separate",
            "budget_seconds": 180.0, "jobs": 2, "model": text("example/model-1"), "sandbox": "bubblewrap",
            "seeds": {"search": list(SEARCH_SEEDS), "confirm": list(CONFIRM_SEEDS)},
            "plan": {"total": 360.0, "share": 60.0, "confirm_seeds": list(CONFIRM_SEEDS), "run_seconds": 1.4},
            "noise": {"mean": 0.902, "sd": 0.0021, "n": 3},
            "hardware": "2 cores, x86_64, Linux 6.1", "python": "3.11.9",
            "versions": {"branchlab": "0.1.0", "optuna": "4.2.1", "libcst": "1.8.2"},
            "notes": [text("the work tree has changes that are not committed: they are not studied")],
            "files": 6, "tunables": self.tunables(),
            "findings": [{"file": text("train.py"), "line": 34, "detector": "missing_zero_grad", "title": text("x"),
                          "rationale": text("y")}],
            "unread": [{"file": text("legacy/old_model.py"), "reason": text("syntax error at line 3")}],
        }  # fmt: skip

    def tunables(self) -> list[dict[str, Any]]:
        text = self.text
        return [
            {"name": f"{text('train.py')}::LEARNING_RATE", "file": "train.py", "line": 12, "type": "float",
             "default": 0.001, "low": 0.0001, "high": 0.01, "log": True, "choices": None,
             "rule": text("positive constant: a tenth to ten times its value")},
            {"name": "model.py::Net.__init__.Dropout.p", "file": "model.py", "line": 18, "type": "float",
             "default": 0.5, "low": 0.0, "high": 0.9, "log": False, "choices": None, "rule": "dropout: 0 to 0.9"},
            {"name": "train.py::OPTIMIZER", "file": "train.py", "line": 14, "type": "str", "default": "sgd",
             "low": None, "high": None, "log": False, "choices": ["sgd", text("adam")], "rule": "argparse choices"},
        ]  # fmt: skip

    # arms

    def edits(self) -> str:
        parent, level = BASE, 0.902
        for n, (kind, title, proposer, gain, why) in enumerate(_KEPT):
            self.failures(n, parent)
            level += gain * self.gain
            commit = _sha(f"kept-{n}")
            name = f"branchlab/{self.run_id}/{n + 1:02}-{title.lower().replace(' ', '-')[:40].strip('-')}"
            record = self.proposal("edits", f"kept-{n}", kind, title, proposer, parent, commit, rationale=why)
            self.trial("edits", "search", commit, parent, level, proposal=record.id, verdicts=(
                Verdict("finite", True, "every score is finite"),
                Verdict("better", True, self.text(f"mean difference {gain:+.4f}, needed +0.0030")),
            ))  # fmt: skip
            self.ledger.set_branch(self.run_id, record.id, name)
            parent = commit
        return parent

    def failures(self, n: int, parent: str) -> None:
        """One refused, one that crashed, two not better."""
        self.proposal("edits", f"refused-{n}", "data", f"Read the test labels in step {n}", "language_model", parent, None,
                      outcome="refused: in_scope: " + self.text("evaluate.py is protected"))  # fmt: skip
        crash = self.proposal("edits", f"crash-{n}", "architecture", f"Replace block {n} by attention", "architecture",
                              parent, _sha(f"crash-{n}"))  # fmt: skip
        self.trial("edits", "search", _sha(f"crash-{n}"), parent, None, proposal=crash.id)
        for m in range(2):
            idea = self.proposal("edits", f"flat-{n}-{m}", "architecture", f"Widen layer {n + 1} by half, variant {m}",
                                 "architecture", parent, _sha(f"flat-{n}-{m}"))  # fmt: skip
            self.trial("edits", "search", _sha(f"flat-{n}-{m}"), parent, 0.9, proposal=idea.id, decision="discard",
                       verdicts=(Verdict("better", False, self.text("mean difference −0.0021, needed +0.0030")),))  # fmt: skip

    def tuner(self, arm: Arm, top: float) -> None:
        best = 0.0
        for n in range(17):
            rate = 0.001 * 10 ** self.random.uniform(-1, 1)
            gain = top * (1 - abs(n - 9) / 12) - 0.002
            failed = n in (4, 11)
            commit = f"{arm}-best" if n == 9 else f"{arm}-{n}"
            decision: Decision = "keep" if gain > best else "discard"
            best = max(best, gain)
            self.trial(arm, "search", _sha(commit), BASE, None if failed else 0.902 + gain,
                       params={"train.py::LEARNING_RATE": round(rate, 6)}, decision=decision)  # fmt: skip

    def edits_and_tuner(self, edited: str) -> str:
        for trial in self.ledger.trials(self.run_id, arm="edits", phase="search"):
            self.trial("edits+tuner", "search", trial.commit, trial.parent, _mean(trial), proposal=trial.proposal_id,
                       decision=trial.decision, taken_from=trial.id, jitter=0.0)  # fmt: skip
        for n in range(3):
            level = 0.902 + 0.046 * self.gain + 0.0024 * n - 0.002
            self.trial("edits+tuner", "search", _sha(f"both-{n}"), edited, level, decision="keep" if n > 0 else "discard",
                       params={"train.py::LEARNING_RATE": 0.0007 + 0.0001 * n})  # fmt: skip
        return "both-2"

    def confirm(self, finalists: Mapping[Arm, str]) -> None:
        levels = {"baseline": 0.0, "random": 0.0005, "tuner": 0.006, "edits": 0.041 * self.gain,
                  "edits+tuner": 0.043 * self.gain}  # fmt: skip
        self.ledger.open_sealed(self.run_id)
        for phase in ("confirm", "sealed"):
            for arm, commit in finalists.items():
                sha = commit if len(commit) == 40 else _sha(commit)
                for seed in CONFIRM_SEEDS:
                    self.trial(arm, phase, sha, BASE, 0.899 + levels[arm], seeds=(seed,), jitter=0.003)

    # rows

    def trial(
        self, arm: Arm, phase: Phase, commit: str, parent: str, level: float | None, *, seeds: tuple[int, ...] = SEARCH_SEEDS,
        proposal: str | None = None, params: Mapping[str, float] | None = None, decision: Decision = "keep",
        verdicts: tuple[Verdict, ...] = (), taken_from: str | None = None, jitter: float = 0.002,
    ) -> None:  # fmt: skip
        split = "search" if phase == "calibrate" else phase
        failed = level is None
        runs = tuple(self.run(seed, split, level, jitter) for seed in (seeds[:1] if failed else seeds))
        if failed:
            decision = "crash"
            verdicts = (Verdict("runs", False, f"failed: {runs[0].reason}"),)
        self._clock += sum(run.device_seconds for run in runs)
        name = f"{self.run_id} {arm} {phase} {commit} {sorted((params or {}).items())} {seeds}"
        trial_id = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.ledger.add_trial(
            Trial(trial_id, self.run_id, arm, phase, commit, parent, dict(params or {}), proposal, runs, verdicts, decision,
                  sum(run.device_seconds for run in runs), taken_from, self._clock)
        )  # fmt: skip

    def run(self, seed: int, split: str, level: float | None, jitter: float) -> Run:
        seconds = round(1.2 + 0.4 * self.random.random(), 3)
        score = None
        if level is not None:
            value = round(level + self.random.gauss(0, jitter), 6)
            score = Score("accuracy", value)
        log = "epoch 1 loss 2.302\nepoch 2 loss 1.911\n"
        if score is None:
            log += "Traceback (most recent call last):\n" + self.text(
                "RuntimeError: mat1 and mat2 shapes cannot be multiplied"
            )
        return Run(seed, split, "ok" if score else "failed", "" if score else self.text("train: exit code 1"), score, seconds,
                   seconds * 0.97, 412.0, log, "bubblewrap (watchdog)", started=self._clock)  # fmt: skip

    def proposal(
        self, arm: Arm, name: str, kind: str, title: str, proposer: str, parent: str, commit: str | None, *,
        outcome: str = "branched", rationale: str = "It may fit the data better.",
    ) -> ProposalRecord:  # fmt: skip
        diff = (DIFF.replace("return float(loss)", self.text("return float(loss)")) if commit else "")  # fmt: skip
        evidence = ((self.text("train.py"), 34, self.text("the loop has backward() and step() and nothing clears")),)
        edits = ({"operator": "insert_statement", "file": self.text("train.py"), "symbol": "train_epoch",
                  "arguments": {"text": self.text("optimizer.zero_grad()")}},)  # fmt: skip
        record = ProposalRecord(_sha(name)[:12], self.run_id, arm, kind, kind, self.text(title), self.text(rationale),
                                evidence, edits, proposer, parent, commit, diff, outcome)  # fmt: skip
        self.ledger.add_proposal(record)
        return record

    def text(self, plain: str) -> str:
        return self._hostile.choice(HOSTILE) if self.hostile else plain


def sample_ledger(folder: Path, *, hostile: bool = False, gain: float = 1.0) -> Ledger:
    """An open ledger with one finished run, RUN_ID."""
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    SampleRun(ledger, hostile=hostile, gain=gain).write()
    return ledger


def _sha(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def _mean(trial: Trial) -> float | None:
    values = [run.score.value for run in trial.runs if run.score]
    return sum(values) / len(values) if values else None
