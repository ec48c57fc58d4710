"""Everything one run works with, opened once and closed once; the nodes of the graph are functions of it."""

import shutil
import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..evals.judge import Judge
from ..evals.noise import Noise, noise_of
from ..evals.rungs import estimated_full, evidence_of, short_score, taken_over
from ..evals.trial import Arm, Phase, ProposalRecord, Score, Trial
from ..evals.tuners import Tuner, make_tuner
from ..sandbox.runner import Runner
from ..targets.checkout import Checkout
from ..targets.errors import BudgetError
from ..targets.target import Target
from ..targets.tunable import Tunable
from .code_map import CodeMap
from .environment import CommitEnvironments
from .events import Event
from .journal import Journal
from .live import LiveView
from .policy import SEARCH_ARMS, Plan, make_plan, mean_score
from .proposal import Proposal
from .proposers.base import Proposer
from .read_commit import read_commit
from .records import params_of
from .scale_plan import rung_seconds, with_scale_up
from .slots import Slots
from .tunables import find_tunables

TUNING_ARMS: tuple[Arm, ...] = ("random", "tuner", "edits+tuner")
CALIBRATION_RUNS = 3
"""Baseline runs before anything else: two give a spread, three one that can be believed a little."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked of one run. JSON values only: it is stored with the run and read again on resume."""

    budget_seconds: float
    jobs: int = 1
    sandbox: str = "auto"
    model: str = ""
    arms: tuple[Arm, ...] = SEARCH_ARMS
    seed: int = 0
    """Of the tuners; the seeds of training are the target's."""
    commit: str = ""
    """Base commit in place of the target's; empty in all but repeats."""
    search_seeds: tuple[int, ...] = ()
    """In place of the target's; empty in all but repeats."""
    repeat_of: str = ""
    """The run this one repeats, with other seeds for tuners and search."""
    repeat: int = 0

    @classmethod
    def stored(cls, body: Mapping[str, Any]) -> "Options":
        """From what the ledger made of them."""
        return cls(**{**body, "arms": tuple(body["arms"]), "search_seeds": tuple(body.get("search_seeds", ()))})

    def asked_of(self, target: Target) -> Target:
        """The target as this run studies it."""
        changes: dict[str, Any] = {"commit": self.commit} if self.commit else {}
        if self.search_seeds:
            changes["seeds"] = target.seeds.model_copy(update={"search": self.search_seeds})
        return target.model_copy(update=changes) if changes else target


@dataclass
class Lab:
    run_id: str
    target: Target
    options: Options
    checkout: Checkout
    journal: Journal
    runner: Runner
    judge: Judge
    slots: Slots
    view: LiveView
    folder: Path
    """`<home>/runs/<run>`."""
    structured: Sequence[Proposer] = ()
    """Proposers that need no model, in the order they are asked."""
    modelled: Proposer | None = None
    environments: CommitEnvironments | None = None
    plan: Plan | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    started: dict[str, Arm] = field(default_factory=dict)
    """Trials handed to the slots and not yet back, with the arm they are charged to."""
    orphans: list[str] = field(default_factory=list)
    """Proposals a stop left without a trial; see `Journal.orphans`."""
    exhausted: set[str] = field(default_factory=set)
    """Parents for which no proposer has anything left, and arms whose whole space was tried."""
    ideas: dict[str, list[Proposal]] = field(default_factory=dict)
    """What the proposers that need no model found in a commit."""
    refused: list[ProposalRecord] = field(default_factory=list)
    """Of the language model's last answer, what can never run; kept together with the rest of it."""
    changes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Changed files of a checked proposal, until it is a commit."""
    _codes: dict[str, CodeMap] = field(default_factory=dict)
    _spaces: dict[str, dict[str, Tunable]] = field(default_factory=dict)
    _tuners: dict[Arm, Tuner] = field(default_factory=dict)
    _scale_seeds: tuple[int, ...] = ()
    _told: set[str] = field(default_factory=set)
    _git: threading.Lock = field(default_factory=threading.Lock)

    @property
    def template(self) -> Path:
        """Where the untouched code's predictions are, from its first run until the trivial baselines are made of them."""
        return self.folder / "template"

    # reading

    def code(self, commit: str) -> CodeMap:
        """The code map of a commit, read once."""
        if commit not in self._codes:
            self._codes[commit] = read_commit(self.checkout, commit, self.target)
        return self._codes[commit]

    def space(self, commit: str) -> dict[str, Tunable]:
        """What a tuner may turn in the code of a commit, by name."""
        if commit not in self._spaces:
            self._spaces[commit] = {t.name: t for t in find_tunables(self.code(commit), self.target)}
        return self._spaces[commit]

    def tree(self, commit: str) -> Path:
        """A fresh plain tree of the commit; the caller deletes it."""
        folder = self.folder / "scratch" / f"tree-{uuid.uuid4().hex[:12]}"
        with self._git:
            self.checkout.materialise(commit, folder, leave_out=self.target.hidden)
        return folder

    # the plan and the tuners

    def in_flight(self) -> dict[Arm, float]:
        """Expected charges of the trials now in the slots, and of those a stop threw out of them."""
        arms = [*self.started.values(), *(self.journal.proposal(orphan).arm for orphan in self.orphans)]
        return {arm: self.the_plan.trial_seconds * arms.count(arm) for arm in arms}

    @property
    def the_plan(self) -> Plan:
        """How the budget is divided, by what runs of the untouched code have cost so far: a function of the ledger."""
        if self.plan is None:
            try:
                self.plan = self._make_plan(("calibrate", "again", "search"))
            except BudgetError:  # runs became slower: what was begun on a plan that could be paid for is ended on it
                self.plan = self._make_plan(("calibrate", "again"))
        return self.plan

    @property
    def confirm_seeds(self) -> tuple[int, ...]:
        """The plan's, until the confirmation begins and writes down its own."""
        written = self.journal.ledger.run(self.run_id).settings.get("acceptance")
        return tuple(written["planned"]) if written else self.the_plan.confirm_seeds

    def seconds_of(self, commit: str) -> float:
        """Device seconds of one whole run of a commit, by its runs so far; never less than the plan's."""
        trials = [trial for trial in self.journal.trials() if trial.commit == commit]
        return max(self.the_plan.run_seconds, rung_seconds(trials).get("full", 0.0))

    @property
    def spent_seconds(self) -> float:
        """Device seconds of everything that has run and was not cut off: trials, the trivial baselines' card, the probes."""
        settings = self.journal.ledger.run(self.run_id).settings
        beside = (settings.get(name) or {} for name in ("trivial_facts", "probes"))
        trials = sum(trial.device_seconds for trial in self.journal.trials() if trial.taken_from is None)
        return trials + sum(float(one.get("seconds", 0.0)) for one in beside)

    @property
    def scale_seeds(self) -> tuple[int, ...]:
        """Of the plan: seeds of the confirm split on which the winners run once more, longer; empty without room."""
        return self._scale_seeds if self.the_plan else ()

    def _make_plan(self, phases: Collection[Phase]) -> Plan:
        untouched = [t for arm in ("baseline", "rerun") for t in self.journal.trials(arm) if t.phase in phases]
        spent, seeds, rungs = self.calibration_seconds, self.target.seeds, rung_seconds(untouched)
        trials = self.journal.trials("baseline", "calibrate")
        # Of the guards' commands: each candidate that would be kept pays for them as well.
        commands = sum(t.device_seconds - sum(r.device_seconds for r in (*t.ladder, *t.runs)) for t in trials)
        total = self.options.budget_seconds * self.options.jobs

        def divided(reserved: float) -> Plan:
            arms, per_trial = self.options.arms, len(seeds.search)
            plan = make_plan(total - reserved, spent, rungs["full"], seeds.confirm, arms, per_trial)
            climbing = rungs.get("smoke", 0.0) + per_trial * rungs.get("short", 0.0)
            return replace(plan, trial_seconds=plan.trial_seconds + climbing + commands)

        scale = self.target.rungs.scale_up if self.target.rungs else 0
        plan, self._scale_seeds = with_scale_up(divided, total - spent, scale * rungs["full"], self.options.arms)
        return plan

    @property
    def calibration_seconds(self) -> float:
        """Device seconds charged before the plan was made: the untouched code's runs, its guards' commands, and its card of
        trivial baselines."""
        card = self.journal.ledger.run(self.run_id).settings.get("trivial_facts") or {}
        runs = [t for t in self.journal.trials("baseline") if t.phase in ("calibrate", "again")]
        return sum(t.device_seconds for t in runs) + float(card.get("seconds", 0.0))

    def noise(self) -> Noise | None:
        """How much luck moves the untouched code's score."""
        return noise_of([run for trial in self.journal.trials("baseline", "calibrate") for run in trial.runs])

    def tuner_of(self, arm: Arm) -> str:
        """Name of the tuner that searches for an arm; the proposer of its settings."""
        return "random" if arm == "random" else self.target.tuner

    def tuner(self, arm: Arm, parent: str) -> Tuner:
        """The arm's tuner over the space of `parent`, told everything the journal holds of it."""
        if arm not in self._tuners:
            space = tuple(self.space(parent).values())
            direction = self.target.metric.direction
            name = self.tuner_of(arm)
            self._tuners[arm] = make_tuner(name, space, seed=self._tuner_seed(arm), direction=direction)
            asked = {row.id: row for row in self.journal.proposals(arm) if row.proposer == name}
            for trial in self.journal.trials(arm, "search"):
                if row := asked.pop(trial.proposal_id or "", None):
                    self.tell(trial, parent)
            for row in asked.values():
                self._tuners[arm].asked(params_of(row))
        return self._tuners[arm]

    def _tuner_seed(self, arm: Arm) -> int:
        """Arms that start from the same settings must not draw the same ones."""
        return self.options.seed * len(TUNING_ARMS) + TUNING_ARMS.index(arm)

    def tell(self, trial: Trial, parent: str) -> None:
        """Tells the arm's tuner of a trial it asked for, once: the mean over its seeds, or None."""
        tuner = self.tuner(trial.arm, parent)  # a new one is told all of the journal, this trial included
        if trial.id in self._told:
            return
        self._told.add(trial.id)
        defaults = {name: tunable.default for name, tunable in self.space(parent).items()}
        value = mean_score(trial) if trial.pruning != "pruned" else self._estimate(trial)
        score = None if value is None else Score(self.target.metric.name, value)
        tuner.tell({**defaults, **trial.params}, score)

    def _estimate(self, trial: Trial) -> float | None:
        """What a pruned trial would have scored at full length, by what was known when it ended."""
        short, earlier = short_score(trial), self.journal.trials(trial.arm, "search")
        before = [t for t in earlier[: earlier.index(trial)] if not taken_over(t)]
        return None if short is None else estimated_full(short, evidence_of(before).pairs)

    # the rest

    def wait(self) -> Trial:
        """The next trial to end; see `Slots.wait`."""
        return self.slots.wait(self.journal.meter)

    def say(self, event: Event) -> None:
        self.view.handle(event)

    def close(self) -> None:
        """Kills what runs, waits for the slots, removes scratch. What is in the ledger stays."""
        self.stopping.set()
        self.runner.cancel()
        self.slots.close()
        self.checkout.close()
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
