"""What the audit reads: the target, its code, and which functions each step may run."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ...targets.target import Target
from ..code_map import CodeMap, Import
from ..imports import Modules, closure
from ..proposers.defects.program import Program
from ..proposers.defects.source import Function
from ..roles import trains
from ..tuning_scope import entry_files

Step = Literal["train", "predict", "score"]


@dataclass(frozen=True, eq=False)
class Scene:
    target: Target
    code: CodeMap
    program: Program

    @property
    def separate(self) -> bool:
        """Whether the evaluator is a step of its own, out of the candidate's process."""
        return self.target.steps.score is not None

    @cached_property
    def manifest(self) -> str:
        """Text of target.toml; empty when it cannot be read (it was, when it was loaded)."""
        try:
            return (self.target.home / "target.toml").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def manifest_line(self, *words: str) -> int:
        """The first line of target.toml that begins with one of `words`; 1 when there is none."""
        lines = enumerate(self.manifest.splitlines(), start=1)
        return next((number for number, line in lines if line.lstrip().startswith(words)), 1)

    def entries(self, step: Step) -> tuple[str, ...]:
        """Files that a step's command names."""
        command = getattr(self.target.steps, step) or ()
        return entry_files(command, self.code.sources, self.target.environment.path)

    def files(self, step: Step) -> tuple[str, ...]:
        """Files that a step imports, those it names first."""
        imports: dict[str, list[Import]] = {file: [] for file in self.code.sources if file.endswith(".py")}
        for imported in self.code.imports:
            imports.setdefault(imported.file, []).append(imported)
        return closure(self.entries(step), imports, Modules(imports, self.target.environment.path))

    @cached_property
    def evaluator(self) -> tuple[Function, ...]:
        """Functions that make the number: the score step's; where there is none, those the training runs that evaluate."""
        if self.separate:
            return self._reached("score")
        roles = {(s.file, s.name) for s in self.code.with_role("evaluation")}
        return tuple(f for f in self._reached("train") if (f.source.path, f.name) in roles)

    @cached_property
    def prediction(self) -> tuple[Function, ...]:
        """Functions on the way from an input to its prediction, as far as a step of their own or their name tells."""
        if self.separate:
            return self._reached("predict")
        return tuple(f for f in self._reached("train") if f.name and not self._trains(f))

    @cached_property
    def training(self) -> tuple[Function, ...]:
        return self._reached("train")

    def _trains(self, function: Function) -> bool:
        return trains(c for c in self.code.calls if c.file == function.source.path and c.caller == function.name)

    def _reached(self, step: Step) -> tuple[Function, ...]:
        """Functions that a step may run: what its files do when imported, and whatever is called from there. Of a class
        that is made, every method."""
        files = set(self.files(step))
        found = dict.fromkeys(f for f in self.program.functions if f.source.path in files and not f.name)
        pending = list(found)
        while pending:
            for function in self._called(pending.pop()):
                if function not in found and function.source.path in files:
                    found[function] = None
                    pending.append(function)
        return tuple(sorted(found, key=lambda f: (f.source.path, getattr(f.node, "lineno", 0))))

    def _called(self, function: Function) -> Iterator[Function]:
        for call in function.calls:
            yield from self.program.callees(call, function)
            made = self.program.find_class(function.source.full(call.func), function.source)
            made = made or (
                self.program.find_class(call.func.id, function.source) if isinstance(call.func, ast.Name) else None
            )
            if made:
                yield from (f for f in made[1].functions if f.owner is made[0])
        for name in {n.id for n in function.own if isinstance(n, ast.Name)}:  # handed on: `map(answer, rows)`
            yield from (f for f in function.source.functions if f.name == name)


def texts_in(node: ast.AST) -> Iterable[str]:
    """Every string constant below a node."""
    return (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
