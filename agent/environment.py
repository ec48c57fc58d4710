"""The interpreters of one run: that of the base commit, and those of candidates that may change what is installed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock

from ..sandbox import environments
from ..sandbox.built_environments import Built, Environments, NotBuilt
from ..sandbox.runner import Runner
from ..targets.checkout import Checkout
from ..targets.errors import TargetError
from ..targets.requirements import Requirements, collect
from ..targets.target import Target


class CommitEnvironments:
    """What each commit of a target runs in. `base` is None where target.toml names no `requirements`."""

    def __init__(
        self, target: Target, checkout: Checkout, runner: Runner, home: Path, say: Callable[[str], None]
    ) -> None:
        """Builds the environment of the base commit when it is not there yet.

        Raises: TargetError when that fails, with the last lines of the build and the place of its log.
        """
        self._target, self._checkout = target, checkout
        self._store = Environments(home, runner, target.environment.base_python, say=say)
        self._failed: dict[str, NotBuilt] = {}
        self._lock = Lock()
        self.base: Built | None = None
        self.sources: frozenset[str] = frozenset()
        """Dependency files of the base commit, included ones too."""
        if not target.environment.requirements:
            self.interpreter = environments.find(target.environment.python, target.environment.hide)
            return
        wanted = self._wanted(checkout.base)
        found = self._store.get(wanted, target.environment.hide)
        if isinstance(found, NotBuilt):
            raise TargetError(
                "the environment cannot be built", found=found.reason, where=str(found.log),
                fix="put it right in the repository and commit, or name an interpreter that has it all: environment.python",
            )  # fmt: skip
        self.base, self.sources, self.interpreter = found, wanted.sources, found.interpreter

    def of(self, commit: str, stopping: Event) -> Built | NotBuilt | None:
        """The environment of a candidate that changed its dependency files; None when it runs in that of the base, and
        when the run is stopping. Called from any thread; one environment is built at a time."""
        if self.base is None or not self._target.environment.allow_dependency_changes:
            return None
        try:
            wanted = self._wanted(commit)
            key = self._store.key(wanted)
            if key == self.base.key:
                return None
            with self._lock:
                if stopping.is_set():
                    return None
                found = self._failed.get(key) or self._store.get(wanted, self._target.environment.hide)
                if isinstance(found, NotBuilt) and not stopping.is_set():
                    self._failed[key] = replace(found, seconds=0.0)  # tried once, and paid for once
                return found
        except TargetError as error:  # the candidate's own mistake: the same was asked of the base commit before
            return NotBuilt(str(error), Path(), 0.0)

    def resolved(self) -> Target:
        """The target with the interpreter of its built environment, and its dependency files, filled in."""
        if self.base is None:
            return self._target
        python = str(self.interpreter.executable)
        environment = self._target.environment.model_copy(update={"python": python})
        target = self._target.model_copy(update={"environment": environment})
        target._dependency_files = self.sources
        return target

    def _wanted(self, commit: str) -> Requirements:
        files = self._checkout.files(commit)
        names = self._target.environment.requirements
        return collect(names, lambda path: self._checkout.read(commit, path) if path in files else None)
