"""Opens a run, drives it to its end, and leaves it resumable whatever interrupts it."""

import fcntl
import hashlib
import os
import platform
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..evals.judge import Judge
from ..evals.ledger import Ledger, RunRecord
from ..evals.rows import RunStatus
from ..evals.tuners import check_tuner
from ..sandbox import backends, gpu_runner
from ..sandbox.runner import Runner
from ..targets.checkout import Checkout
from ..targets.errors import BranchlabError, BudgetError, LedgerError, ModelError, SandboxError, StateError, UsageError
from ..targets.find import find_target
from ..targets.scope import check_scope
from ..targets.target import Target
from .environment import CommitEnvironments
from .events import Note, RunFinished, RunStarted
from .graph import drive
from .journal import Journal
from .lab import Lab, Options
from .live import LiveView
from .modelled import charged_model, modelled, reading
from .proposers import structured_proposers
from .slots import Slots

INTERRUPTED = 130
NO_VERDICT = BudgetError.exit_code


def ledger_at(home: Path) -> Ledger:
    """The home's ledger, or the database BRANCHLAB_LEDGER names."""
    return Ledger.open(elsewhere() or f"sqlite:///{home / 'ledger.db'}")


def elsewhere() -> str:
    """URL of a ledger outside the home, from BRANCHLAB_LEDGER; empty when it is the home's own."""
    return os.environ.get("BRANCHLAB_LEDGER", "")


def start_run(ref: str, options: Options, home: Path, view: LiveView) -> tuple[int, str]:
    """A new run from target to report; the exit code and the run's id."""
    lab = _new_lab(ref, options, (home, view))
    with _only_one(lab.folder):
        return _drive(lab, resumed=False), lab.run_id


@contextmanager
def open_review(
    ref: str, branch: str, base: str | None, options: Options, place: tuple[Path, LiveView]
) -> Iterator[tuple[Lab, str]]:
    """A lab for one review, and the base commit to judge against: `base`, else where `branch` left the target's base."""
    lab = _new_lab(ref, options, place)
    ledger = lab.journal.ledger
    try:
        with _only_one(lab.folder), _terminated_like_interrupted():
            _announce(lab, resumed=False)
            checkout = lab.checkout
            against = checkout.resolve(base) if base else checkout.merge_base(checkout.base, checkout.resolve(branch))
            yield lab, against
    except (KeyboardInterrupt, BranchlabError) as error:
        ledger.set_status(lab.run_id, "failed", str(error) or "interrupted")
        raise
    finally:
        lab.close()


def _new_lab(ref: str, options: Options, place: tuple[Path, LiveView]) -> Lab:
    home, view = place
    found = find_target(ref, home)
    target = options.asked_of(found)
    if options.arms != ("review",):
        check_tuner(target.tuner, rungs=target.rungs is not None)
    runner = _runner(target, options)
    checkout = Checkout.open(target, home)
    check_scope(target, checkout.files(checkout.base))
    ledger = ledger_at(home)
    run_id = f"{target.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    settings = _settings(target, options, checkout, runner, ref) | {"target_sha256": fingerprint(found)}
    ledger.start_run(RunRecord(run_id, target.name, checkout.base, time.time(), settings=settings))
    try:
        with _terminated_like_interrupted():
            return _lab(run_id, target, options, (checkout, ledger, runner), place)
    except KeyboardInterrupt:  # an environment takes its time to build
        _set_status(ledger, run_id, "interrupted", "interrupted by the user")
        if options.arms != ("review",):
            view.handle(Note(f"go on with: branchlab run --resume {run_id}"))
        raise
    except (OSError, BranchlabError) as error:
        _set_status(ledger, run_id, "failed", str(error))
        raise


def resume_run(run_id: str, home: Path, view: LiveView) -> tuple[int, str]:
    """Goes on with an interrupted run: no finished trial is repeated, none is lost.

    Raises:
        UsageError: the run has ended, or its target.toml has changed since.
    """
    ledger = ledger_at(home)
    record = ledger.run(run_id)
    # A kill between the verdict's row and the report's file leaves the last stage to do.
    if record.status in ("done", "no_signal", "budget_exhausted") and (home / "runs" / run_id / "report.md").exists():
        raise UsageError(f"run {run_id} has ended ({record.status})", fix=f"`branchlab report {run_id}` shows it")
    settings = record.settings
    if tuple(settings["options"]["arms"]) == ("review",):
        raise UsageError(f"{run_id} is a review", fix="`branchlab review` it again: reviews are not resumed")
    target = find_target(settings["target_ref"], home)
    if fingerprint(target) != settings["target_sha256"]:
        raise UsageError(
            "target.toml has changed since this run began",
            where=str(target.home),
            fix="start a new run, or undo the change",
        )
    options = Options.stored(settings["options"])
    target = options.asked_of(target)
    runner = _runner(target, options)
    checkout = Checkout.open(target, home)
    if checkout.base != record.commit:
        target = target.model_copy(update={"commit": record.commit})
        checkout.close()
        checkout = Checkout.open(target, home)
    with _only_one(home / "runs" / run_id):
        ledger.settle(run_id)
        lab = _lab(run_id, target, options, (checkout, ledger, runner), (home, view))
        return _drive(lab, resumed=True), run_id


def _runner(target: Target, options: Options) -> Runner:
    runner = backends.choose(options.sandbox)
    return gpu_runner.on_gpus(runner, options.jobs) if target.limits.gpu else runner


def _lab(
    run_id: str,
    target: Target,
    options: Options,
    tools: tuple[Checkout, Ledger, Runner],
    place: tuple[Path, LiveView],
) -> Lab:
    checkout, ledger, runner = tools
    home, view = place
    folder = home / "runs" / run_id
    for left in (folder / "scratch", *(folder / "models").glob(".*")):  # by a kill, half written
        shutil.rmtree(left, ignore_errors=True)
    for name in ("scratch", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pristine = folder / "pristine"
    if not pristine.exists():
        whole = folder / "scratch" / "pristine"  # renamed when it is all there: half an evaluator is none
        checkout.materialise(checkout.base, whole)
        whole.rename(pristine)
    environments = CommitEnvironments(target, checkout, runner, home, lambda text: view.handle(Note(text)))
    target = environments.resolved()
    judge = Judge(target, runner, environments.interpreter, pristine, folder / "scratch", folder / "models")
    journal = Journal(ledger, run_id)
    journal.probe_seconds = float((ledger.run(run_id).settings.get("probes") or {}).get("seconds", 0.0))
    lab = Lab(run_id, target, options, checkout, journal, runner, judge, Slots(options.jobs), view, folder)
    lab.environments = environments
    lab.orphans = journal.orphans()
    lab.structured = structured_proposers()
    if options.model:
        model = charged_model(lab)
        lab.structured = (*lab.structured, reading(lab, model))
        lab.modelled = modelled(lab, model)
    return lab


def _drive(lab: Lab, *, resumed: bool) -> int:
    ledger, run_id = lab.journal.ledger, lab.run_id
    try:
        with _terminated_like_interrupted():
            ledger.set_status(run_id, "running")
            _announce(lab, resumed)
            drive(lab, lab.folder / "checkpoints.db")
        return NO_VERDICT if ledger.run(run_id).status in ("no_signal", "budget_exhausted") else 0
    except KeyboardInterrupt:
        _set_status(ledger, run_id, "interrupted", "interrupted by the user")
        lab.say(RunFinished(run_id, "interrupted", f"interrupted; go on with: branchlab run --resume {run_id}"))
        return INTERRUPTED
    except (ModelError, OSError, LedgerError, SandboxError, StateError) as error:
        _set_status(ledger, run_id, "interrupted", str(error))
        lab.say(Note(f"go on with: branchlab run --resume {run_id}"))
        raise
    except BudgetError as error:
        ledger.set_status(run_id, "budget_exhausted", str(error))
        raise
    except BranchlabError as error:
        _set_status(ledger, run_id, "failed", str(error))
        raise
    finally:
        lab.close()


def _set_status(ledger: Ledger, run_id: str, status: RunStatus, reason: str) -> None:
    """Writes why a run stopped, where the ledger still takes it: on a full disk the first error is the one to show."""
    with suppress(LedgerError):
        ledger.set_status(run_id, status, reason)


def _announce(lab: Lab, resumed: bool) -> None:
    target = lab.target
    lab.say(
        RunStarted(
            run_id=lab.run_id,
            target=target.name,
            commit=lab.checkout.base,
            metric=target.metric.name,
            direction=target.metric.direction,
            arms=("baseline", *lab.options.arms),
            budget_seconds=lab.options.budget_seconds,
            sandbox=lab.runner.name,
            integrity=target.integrity,
            resumed=resumed,
            jobs=lab.options.jobs,
        )
    )
    for note in lab.checkout.notes:
        lab.say(Note(note, "warning"))
    if lab.runner.name == "unconfined":
        lab.say(Note("no sandbox: this code can read and change everything your account can", "warning"))


def _settings(target: Target, options: Options, checkout: Checkout, runner: Runner, ref: str) -> dict[str, Any]:
    shipped_or_named = not Path(ref).exists()
    return {
        "target_ref": ref if shipped_or_named else str(Path(ref).absolute()),
        "options": {**asdict(options), "arms": list(options.arms)},
        "arms": ["baseline", *options.arms],
        "repeat_of": options.repeat_of,
        "repeat": options.repeat,
        "device_dollars_per_hour": target.device_dollars_per_hour,
        "budget_seconds": options.budget_seconds,
        "jobs": options.jobs,
        "model": options.model,
        "metric": target.metric.name,
        "direction": target.metric.direction,
        "integrity": target.integrity,
        "guards": [guard.model_dump(mode="json") for guard in target.guards],
        "sandbox": runner.name,
        "seeds": {"search": list(target.seeds.search), "confirm": list(target.seeds.confirm)},
        "user_repo": str(checkout.user_repo) if checkout.user_repo else target.repo,
        "notes": list(checkout.notes),
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "versions": {name: version(name) for name in ("branchlab", "optuna", "libcst", "langgraph")},
        "python": platform.python_version(),
    }


def fingerprint(target: Target) -> str:
    return hashlib.sha256(target.model_dump_json().encode()).hexdigest()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One process a run; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                "another process works on this run", where=str(folder), fix="wait for it, or stop it"
            ) from error
        yield


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: rows written, sandboxes killed, resumable."""

    def raise_interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {}
    with suppress(ValueError):  # only the main thread may set handlers
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup asks for it
                before[number] = signal.signal(number, raise_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
