"""One seed of one candidate on one split: train, predict and score, each in a sandbox of its own.

Train sees {data} only. Predict sees what train wrote, read-only, and inputs without labels. Score runs the evaluator of
the base commit on frozen predictions; labels are in its view and in no other, and no file of the candidate is.

Not covered: a same-process target (no `score` step) reports its own metric, and could forge it.
"""

import copy
import os
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..sandbox.files import freeze, read_regular, regular_files, remove
from ..sandbox.missing_module import advice
from ..sandbox.runner import ANY_GPU, Interpreter, Limits, Runner, RunRequest, RunResult
from ..targets.errors import ArtifactError, TargetError
from ..targets.preload import preload
from ..targets.target import Target
from .fingerprint import Fingerprint, copy_within, files_below
from .kept_models import KeptModel, KeptModels, hash_of
from .metrics import score_of_json, score_of_log
from .trial import Run, Rung, Score

MOST_METRICS_BYTES = 64 * 1024 * 1024
SPLITS = ("search", "confirm", "sealed")


class _Stop(Exception):
    """How a run without a score ends; no error of ours."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Judge:
    """Safe from several threads. A candidate's failure, whatever it is, is a Run without a score.

    Raises: TargetError when a path of the target is missing, or labels can be seen where they must not be.
    """

    def __init__(
        self, target: Target, runner: Runner, interpreter: Interpreter, pristine: Path, scratch: Path, models: Path
    ) -> None:
        self._target, self._runner, self._interpreter = target, runner, interpreter
        self._pristine, self._scratch = pristine, scratch
        self._models = KeptModels(models)
        self._preload: dict[str, tuple[str, ...]] = {}
        self._rung: Rung = "full"
        for folder in (scratch, models):
            folder.mkdir(parents=True, exist_ok=True)
            # Without the set-group-id bit of a shared folder above: a run may not hand it on, as a copy of a tree would.
            folder.chmod(0o755)
        self._data = self._place(target.data, "data") if target.data else None
        splits = {name: getattr(target.splits, name) for name in SPLITS} if target.splits else {}
        self._inputs = {name: self._place(split.inputs, f"splits.{name}.inputs") for name, split in splits.items()}
        self._labels = {name: self._place(split.labels, f"splits.{name}.labels") for name, split in splits.items()}
        self._evaluators = {name: Fingerprint(pristine, labels) for name, labels in self._labels.items()}
        self._label_files = [path for labels in self._labels.values() for _, path in files_below(labels)]
        self._check_leaks()
        # Of the start: what a run that is not held in could change, it must not change unnoticed.
        self._expected = {name: evaluator.now() for name, evaluator in self._evaluators.items()}

    def run(
        self,
        tree: Path,
        commit: str,
        seed: int,
        split: str,
        *,
        keep_model: bool = False,
        interpreter: Interpreter | None = None,
    ) -> Run:
        """The judged run of the candidate in `tree`.

        Args:
            split: `search`, `confirm` or `sealed`. Sealed never trains: it predicts from the model that was kept.
            keep_model: keep what training wrote, for a later split to predict from.
            interpreter: the candidate's own, for train and predict; score always runs in the judge's.

        Raises: SandboxError when the sandbox itself is gone.
        """
        with self._folder() as folder:
            session = _Session(self, tree, folder, seed, split)
            session.interpreter = interpreter or self._interpreter
            return session.judge(commit, keep_model)

    def run_and_keep(
        self, tree: Path, commit: str, seed: int, kept: Path, *, interpreter: Interpreter | None = None
    ) -> Run:
        """The judged run on the search split, with its frozen predictions moved to the new folder `kept` if they scored.

        Raises: SandboxError when the sandbox itself is gone.
        """
        with self._folder() as folder:
            session = _Session(self, tree, folder, seed, "search")
            session.interpreter = interpreter or self._interpreter
            run = session.judge(commit, False)
            if run.score is not None and (folder / "predictions").exists():
                remove(kept)
                (folder / "predictions").rename(kept)
            return run

    def score_predictions(self, predictions: Path, split: str) -> Run:
        """The score of a folder of predictions that nothing but ourselves wrote: the score step alone.

        Raises: SandboxError when the sandbox itself is gone.
        """
        with self._folder() as folder:
            return _Session(self, self._pristine, folder, 0, split).judge_predictions(predictions)

    def inputs(self, split: str) -> Path:
        """What the predict step sees of a split. KeyError for a target without splits."""
        return self._inputs[split]

    def at(self, rung: Rung) -> "Judge":
        """The same judge, whose runs train at another length; only those at full length keep models or find kept ones."""
        other = copy.copy(self)
        other._rung = rung
        return other

    def command(self, tree: Path, argv: tuple[str, ...], interpreter: Interpreter | None = None) -> RunResult:
        """What came of a command on the tree of a candidate, which sees training data and no label."""
        target = self._target
        with self._folder() as folder:
            out = folder / "command-out"
            out.mkdir()
            request = RunRequest(
                argv=argv,
                interpreter=interpreter or self._interpreter,
                work=tree,
                out=out,
                limits=limits_of(target),
                mounts={"data": self._data} if self._data else {},
                env=surroundings(target),
                work_writable=target.environment.writable_tree,
                gpu=ANY_GPU if target.limits.gpu else None,
            )
            return self._runner.run(request)

    def preload(self, step: str) -> tuple[str, ...]:
        """Modules of the environment that the base commit's code of a step imports: never named by a candidate."""
        if step not in self._preload:
            environment = self._target.environment
            argv = getattr(self._target.steps, step)
            self._preload[step] = preload(self._pristine, argv, environment.path) if environment.warm else ()
        return self._preload[step]

    def _place(self, where: str, key: str) -> Path:
        home = self._target.home
        path = self._pristine / where[5:] if where.startswith("repo:") else home / where
        inside = path.resolve().is_relative_to(self._pristine.resolve()) if where.startswith("repo:") else True
        if not inside or not path.exists():
            raise TargetError("there is no such file or folder", found=where, where=f"{home / 'target.toml'}: {key}")
        return path.resolve()

    def _check_leaks(self) -> None:
        for name, folder in {"data": self._data, **{f"splits.{k}.inputs": v for k, v in self._inputs.items()}}.items():
            if folder and (leak := copy_within(folder, self._label_files)):
                where = f"{self._target.home / 'target.toml'}: {name}"
                raise TargetError("labels of a split are in it", found=leak, where=where, fix="keep labels elsewhere")
        hidden = [folder.resolve() for folder in self._interpreter.hide]
        for name, path in self._labels.items():
            seen = any(path.is_relative_to(folder.resolve()) for folder in (*self._interpreter.prefixes, Path("/usr")))
            if seen and not any(path.is_relative_to(folder) for folder in hidden):
                where = f"{self._target.home / 'target.toml'}: splits.{name}.labels"
                message = "labels are in a folder that every run sees"
                raise TargetError(message, found=str(path), where=where, fix="keep labels elsewhere")

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        # Readable for others, unlike tempfile's: the sandbox runs as another user where it can.
        folder = self._scratch / f"run-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove(folder)


class _Session:
    """The steps of one run, and what they have cost so far."""

    def __init__(self, judge: Judge, tree: Path, folder: Path, seed: int, split: str) -> None:
        self._judge, self._tree, self._folder = judge, tree, folder
        self._target = judge._target
        self.interpreter = judge._interpreter
        """Of every step that runs the candidate's code."""
        self._run = Run(seed, split, "ok", "", None, 0.0, 0.0, 0.0, "", judge._runner.name, started=time.time())
        self._run = replace(self._run, rung=judge._rung)

    def judge(self, commit: str, keep_model: bool) -> Run:
        separate = self._target.steps.score
        return self._ended(lambda: self._separate(commit, keep_model) if separate else self._same_process())

    def judge_predictions(self, predictions: Path) -> Run:
        def score() -> Score:
            self._freeze("predict", predictions, self._folder / "predictions")
            return self._score(self._folder / "predictions", self._run.split)

        return self._ended(score)

    def _ended(self, score: Callable[[], Score]) -> Run:
        try:
            found = score()
            return replace(self._run, score=found)
        except _Stop as stop:
            return replace(self._run, status=stop.status, reason=stop.reason)
        except OSError as error:  # a full disk, a folder that is gone: ours, not the candidate's
            return replace(self._run, status="sandbox_failed", reason=f"{error.strerror or error}")

    def _separate(self, commit: str, keep_model: bool) -> Score:
        split = self._run.split
        if leak := copy_within(self._tree, self._judge._label_files):
            reason = f"labels are in the candidate's tree: {leak}; add it to `hidden` in target.toml"
            raise _Stop("no_score", reason)
        model = self._model(commit, keep_model)
        self._run = replace(self._run, model_bytes=sum(size for _, size in regular_files(model)))
        before = self._run.device_seconds
        predict = self._step("predict", {"model": model, "inputs": self._judge._inputs[split]})
        self._run = replace(self._run, predict_seconds=self._run.device_seconds - before)
        predictions = self._folder / "predictions"
        self._freeze("predict", predict, predictions)
        return self._score(predictions, split)

    def _model(self, commit: str, keep_model: bool) -> Path:
        """Folder of the frozen model: the kept one, checked, or a newly trained one."""
        full = self._run.rung == "full"  # a model of another length is none for later splits
        with self._plain("kept model"):
            kept = self._judge._models.find(commit, self._run.seed, self._folder, self._limits) if full else None
        if kept:
            if kept.split == self._run.split:
                self._charge(kept.device_seconds, kept.cpu_seconds, kept.peak_memory_mb)
                self._run = replace(self._run, gpu=kept.gpu, train_seconds=kept.device_seconds)
            self._run = replace(self._run, model_sha256=kept.sha256)
            return kept.folder
        if self._run.split == "sealed":
            raise _Stop("no_score", "no model was kept from the confirmation to predict from")
        data = self._judge._data
        out = self._step("train", {"data": data} if data else {})
        sha256 = self._freeze("train", out, self._folder / "model")
        remove(out)
        self._run = replace(self._run, model_sha256=sha256, train_seconds=self._run.device_seconds)
        if not (keep_model and full):
            return self._folder / "model"
        run = self._run
        kept = KeptModel(Path(), sha256, run.split, run.device_seconds, run.cpu_seconds, run.peak_memory_mb, run.gpu)
        return self._judge._models.keep(commit, run.seed, self._folder / "model", kept)

    def _score(self, predictions: Path, split: str) -> Score:
        evaluator = self._judge._evaluators[split]
        nonce = secrets.token_hex(16)
        before = evaluator.now()
        if before != self._judge._expected[split]:
            raise _Stop("no_score", "the evaluator or the labels are not those this run began with")
        mounts = {"predictions": predictions, "labels": self._judge._labels[split]}
        out = self._step("score", mounts, work=self._judge._pristine, nonce=nonce)
        if evaluator.now() != before:
            raise _Stop("no_score", "the evaluator or the labels changed while they were in use")
        self._run = replace(self._run, evaluator_sha256=before)
        asked = any("{nonce}" in word for word in self._target.steps.score or ())
        with self._plain("score"):
            data = read_regular(out, self._target.metric.file, MOST_METRICS_BYTES)
            return score_of_json(data, self._target.metric, nonce if asked else None, slices=self._slices)

    def _same_process(self) -> Score:
        data = self._judge._data
        out = self._step("train", {"data": data} if data else {})
        self._run = replace(self._run, train_seconds=self._run.device_seconds)
        metric = self._target.metric
        with self._plain("train"):
            if metric.stdout is None:
                return score_of_json(read_regular(out, metric.file, MOST_METRICS_BYTES), metric, slices=self._slices)
            return score_of_log(self._output, metric)

    def _step(self, name: str, mounts: Mapping[str, Path], *, work: Path | None = None, nonce: str = "") -> Path:
        """Runs one step and returns what it wrote. Raises: _Stop when it did not end well."""
        target = self._target
        out = self._folder / f"{name}-out"
        out.mkdir()
        argv = getattr(target.steps, name)
        words = [word.replace("{seed}", str(self._run.seed)).replace("{nonce}", nonce) for word in argv]
        if target.rungs and name == "train":
            words = [word.replace("{length}", str(target.rungs.length(self._run.rung))) for word in words]
        if name == "score" and words[0] == "python" and words[1:2] and words[1].endswith(".py"):
            words.insert(1, "-I")  # nothing but the evaluator's own file and the installed packages
        request = RunRequest(
            argv=tuple(words),
            interpreter=self._judge._interpreter if name == "score" else self.interpreter,
            work=work or self._tree,
            out=out,
            limits=self._limits,
            mounts=mounts,
            env=surroundings(target),
            work_writable=target.environment.writable_tree and name != "score",
            gpu=ANY_GPU if target.limits.gpu else None,
            preload=self._judge.preload(name),
        )
        result = self._judge._runner.run(request)
        self._account(result)
        if result.status != "ok":
            lacks = advice(self._run.log, request.work, request.interpreter, target.environment)
            reason = f"{result.reason}; {lacks}" if result.status == "failed" and lacks else result.reason
            raise _Stop(result.status, f"{name}: {reason}")
        return out

    def _account(self, result: RunResult) -> None:
        self._charge(result.device_seconds, result.cpu_seconds, result.peak_memory_mb)
        # Where output was cut, the head says nothing about the end: the last match must be in what is left of the end.
        self._output = result.log_tail.partition("\n")[2] if result.truncated else result.log_head
        log = f"{result.log_head}\n[...]\n{result.log_tail}" if result.truncated else result.log_head + result.log_tail
        backend = f"{result.backend} ({result.limits_kind})"
        use = result.gpu.joined(self._run.gpu) if result.gpu else self._run.gpu
        self._run = replace(self._run, log=log, backend=backend, kill_reason=result.kill_reason, gpu=use)

    def _charge(self, device: float, cpu: float, peak: float) -> None:
        run = self._run
        self._run = replace(
            run,
            device_seconds=run.device_seconds + device,
            cpu_seconds=run.cpu_seconds + cpu,
            peak_memory_mb=max(run.peak_memory_mb, peak),
        )

    def _freeze(self, step: str, source: Path, target: Path) -> str:
        with self._plain(step):
            return hash_of(freeze(source, target, self._limits))

    @contextmanager
    def _plain(self, step: str) -> Iterator[None]:
        """What is not plain data ends the run without a score, with the reason."""
        try:
            yield
        except ArtifactError as error:
            raise _Stop("no_score", f"{step}: {error}") from None

    @property
    def _slices(self) -> bool:
        return any(guard.slice is not None for guard in self._target.guards)

    @property
    def _limits(self) -> Limits:
        longer = self._target.rungs.scale_up if self._target.rungs and self._run.rung == "scale_up" else 1
        return limits_of(self._target, longer)


def surroundings(target: Target) -> dict[str, str]:
    """Environment variables of every step."""
    env = dict(target.environment.env)
    if target.environment.path:
        env["PYTHONPATH"] = os.pathsep.join(f"{{work}}/{path}" for path in target.environment.path)
    return env


def limits_of(target: Target, longer: float = 1) -> Limits:
    """Of one step; `longer`: how many times as long as a full run it trains."""
    limits = target.limits
    return Limits(
        wall_seconds=limits.timeout * longer,
        memory_mb=limits.memory_mb,
        disk_mb=limits.disk_mb,
        processes=limits.processes,
        threads=limits.threads,
        gpu_memory_mb=limits.gpu_memory_mb,
    )
