"""What probes need to know of a program, read once: how its model is built, what it learns by, where it trains."""

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property

from ..proposers.defects.base import Finding
from ..proposers.defects.losses import Loss, losses
from ..proposers.defects.program import Program, called_name
from ..proposers.defects.source import Function, Source
from ..proposers.defects.training import backwards, model_calls
from .arguments import Options
from .binding import loop_code, training_code
from .facts import Ask, Unsettled
from .inlining import Inliner, default_of

Model = tuple[ast.ClassDef, Source]
Place = tuple[str, int]
"""File and line."""
MOST_SHAPES = 12


class Reader:
    """Reads, and runs nothing."""

    def __init__(self, program: Program, paths: tuple[str, ...] = (), command: tuple[str, ...] = ()) -> None:
        """
        Args:
            paths: folders of the tree that its code imports from, beside its root.
            command: the target's train step.
        """
        self.program = program
        self._paths, self._command = paths, command
        self.inliner = Inliner(program, Options(program, command))

    @cached_property
    def recipe(self) -> Ask:
        """For `Subject`: `paths`, `model` (an expression, empty with `why`), `loss`, `shapes`, `assumed`."""
        model, why = "", ""
        try:
            model = self._model()
        except Unsettled as error:
            why = str(error)
        trained = [loss.kind for loss in self._losses if backwards(loss.function)]
        kinds = trained or [loss.kind for loss in self._losses]
        return {
            "paths": [*self._paths, *self._script_folders(), "."], "model": model, "why": why,
            "loss": kinds[0] if kinds else "", "shapes": list(_shapes(self.program)), "assumed": self.inliner.assumed,
        }  # fmt: skip

    @cached_property
    def _losses(self) -> tuple[Loss, ...]:
        return tuple(losses(self.program))

    def _script_folders(self) -> list[str]:
        """Where `python folder/train.py` finds its neighbours."""
        scripts = [word.removeprefix("./") for word in self._command if word.endswith(".py") and "/" in word]
        return [word.rpartition("/")[0] for word in scripts]

    def _model(self) -> str:
        """The expression that builds the model the program trains."""
        reasons: list[str] = []
        for value, function in self._constructions():
            try:
                return self.inliner.text(value, function)
            except Unsettled as error:
                reasons.append(str(error))
        raise Unsettled(reasons[0] if reasons else "no place was found where the model is built")

    def _constructions(self) -> Iterator[tuple[ast.Call, Function]]:
        """Where the model may be built: what the training calls, then what is no part of another model."""
        for function in self.program.functions:
            if not backwards(function):
                continue
            for _, target in model_calls(function, self.program):
                for value, home in self.program.values(target, function):
                    if isinstance(value, ast.Call) and self._is_construction(value, home):
                        yield value, home
        for node, source in self.program.whole_models:
            yield from self._built(node, source)

    def _is_construction(self, call: ast.Call, function: Function) -> bool:
        found = self.program.find_class(called_name(call), function.source)
        if found is not None:
            return self.program.is_model(*found)
        return function.source.full(call.func).startswith("torch.nn.")

    def _built(self, node: ast.ClassDef, source: Source) -> Iterator[tuple[ast.Call, Function]]:
        for function in self.program.functions:
            for call in function.calls:
                if called_name(call) == node.name and self.program.find_class(node.name, function.source) == (
                    node,
                    source,
                ):
                    yield call, function

    # findings

    def function_of(self, finding: Finding) -> Function:
        """The function a finding stands in. Raises: Unsettled when there is none of the name."""
        for function in self.program.functions:
            if function.source.path == finding.file and function.name == finding.symbol:
                return function
        raise Unsettled("the function it stands in was not found")

    def class_of(self, finding: Finding) -> Model:
        """The model class a finding stands in. Raises: Unsettled."""
        for source in self.program.sources:
            for node in source.classes if source.path == finding.file else ():
                inside = node.lineno <= finding.line <= (node.end_lineno or 0)
                if inside and self.program.is_model(node, source):
                    return node, source
        raise Unsettled("it does not stand in a model")

    def expressions(self, model: Model) -> list[str]:
        """How to build something that has an instance of the class: the whole model first, then the class itself."""
        found = [self.recipe["model"]] if self.recipe["model"] else []
        for call, function in self._built(*model):
            try:
                found.append(self.inliner.text(call, function))
                break
            except Unsettled:
                continue
        else:
            init = self.program.method(*model, "__init__")
            needed = [p for p in (init.parameters if init else ())[1:] if init and default_of(init, p) is None]
            if not needed:
                found.append(f"_of({model[1].path!r}, {model[0].name!r})()")
        if not found:
            raise Unsettled(self.recipe["why"] or f"{model[0].name} is built nowhere that was read")
        return list(dict.fromkeys(found))

    def places(self, finding: Finding) -> tuple[Place, ...]:
        """Every line a finding speaks of."""
        return (*((e.file, e.line) for e in finding.evidence), (finding.file, finding.line))

    def part_of(self, finding: Finding) -> str:
        """The attribute a finding is about: assigned on its line, else the one its title names. Raises: Unsettled."""
        owner, _ = self.class_of(finding)
        made: dict[str, int] = {}
        for node in ast.walk(owner):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    made.setdefault(target.attr, node.lineno)
        here = [name for name, line in made.items() if line == finding.line] or self._called_once(finding, made)
        named = [name for name in made if name in identifiers(finding.title)]
        found = [name for name in here if name in named] or here or named
        if len(found) != 1:
            raise Unsettled("which part of the model it means was not read")
        return found[0]

    def _called_once(self, finding: Finding, made: dict[str, int]) -> list[str]:
        """The outermost part that the finding's line calls, when nothing else in its class does."""
        owner, _ = self.class_of(finding)
        calls = [n for n in ast.walk(owner) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        ours = [(n.func.attr, n.lineno, n.col_offset) for n in calls if isinstance(n.func, ast.Attribute)
                and ast.unparse(n.func.value) == "self" and n.func.attr in made]  # fmt: skip
        here = sorted((column, name) for name, line, column in ours if line == finding.line)
        return [here[0][1]] if here and sum(name == here[0][1] for name, _, _ in ours) == 1 else []

    def parameter_of(self, finding: Finding) -> tuple[str, str]:
        """The method and its one parameter that a finding's title names. Raises: Unsettled."""
        function = self.function_of(finding)
        said = identifiers(finding.title)
        named = [name for name in function.parameters if name in said and name != "self"]
        if len(named) != 1:
            raise Unsettled("which parameter it means was not read")
        return function.name.rpartition(".")[2], named[0]

    def loss_kind(self, places: Sequence[Place]) -> str:
        """The kind of the loss that is computed at one of the places. Raises: Unsettled."""
        for loss in self._losses:
            if (loss.function.source.path, loss.call.lineno) in places:
                return loss.kind
        kinds = {loss.kind for loss in self._losses}
        if len(kinds) != 1:
            raise Unsettled("which loss it means was not read")
        return kinds.pop()

    def training_at(self, places: Sequence[Place]) -> Ask:
        """The training loop in the function that holds one of the places, else the only one. Raises: Unsettled."""
        functions = [f for f in self.program.functions if backwards(f)]
        around = [f for f in functions for file, line in places if f.source.path == file and _holds(f, line)]
        if not around and len(functions) != 1:
            raise Unsettled("which training loop it means was not read")
        return self._training((around or functions)[-1])

    def training(self, finding: Finding) -> Ask:
        """The training loop a finding stands in. Raises: Unsettled."""
        function = self.function_of(finding)
        if not backwards(function):
            raise Unsettled("the training loop was not found")
        return self._training(function)

    def _training(self, function: Function) -> Ask:
        if not self.recipe["model"]:
            raise Unsettled(self.recipe["why"])
        return training_code(function, self.program, self.inliner)

    def function_code(self, finding: Finding) -> Ask:
        """The function a finding stands in, to be called. Raises: Unsettled."""
        if not self.recipe["model"]:
            raise Unsettled(self.recipe["why"])
        return loop_code(self.function_of(finding), None, self.program, self.inliner)


def identifiers(text: str) -> frozenset[str]:
    """Words of a sentence that could be names in code."""
    return frozenset("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _holds(function: Function, line: int) -> bool:
    """Whether a line stands in the function itself; in the script's own statements when it stands in no function."""
    if isinstance(function.node, ast.Module):
        return not any(f.name and _holds(f, line) for f in function.source.functions)
    return function.node.lineno <= line <= (function.node.end_lineno or 0)


def _shapes(program: Program) -> Iterator[list[int]]:
    """Shapes of one example that the code spells out: `view(-1, 1, 28, 28)`, `torch.randn(1, 3, 32, 32)`."""
    seen: set[tuple[int, ...]] = set()
    for function in program.functions:
        for call in function.calls:
            if called_name(call) not in ("view", "reshape", "randn", "rand", "zeros", "ones"):
                continue
            words: list[ast.expr] = list(call.args)
            if len(words) == 1 and isinstance(words[0], ast.Tuple):
                words = words[0].elts
            sizes = [w.value for w in words[1:] if isinstance(w, ast.Constant) and isinstance(w.value, int)]
            whole = len(sizes) == len(words) - 1 and 1 <= len(sizes) <= 4 and all(0 < size <= 512 for size in sizes)
            if whole and tuple(sizes) not in seen and len(seen) < MOST_SHAPES:
                seen.add(tuple(sizes))
                yield sizes
