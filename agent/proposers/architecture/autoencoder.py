"""Puts a model and its training step together: an autoencoder, and what its outputs are used for."""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ...code_map import CodeMap
from ...dotted import dotted_name
from .dense_model import DenseModel, dense_models
from .hidden_sizes import WrittenSizes, written_sizes
from .reconstruction import ReconstructionStep, reconstruction_steps

RANKING = {"topk", "argsort", "argpartition", "sort", "msort", "argtopk"}


@dataclass(frozen=True, slots=True)
class Autoencoder:
    model: DenseModel
    step: ReconstructionStep
    sizes: tuple[WrittenSizes, ...]
    ranks: bool
    """Somewhere the repository orders scores: its outputs are recommendations, not pictures or anomaly scores."""
    outside_methods: frozenset[str]
    """Methods of the model beside `forward` that code outside it calls."""


def autoencoders(code: CodeMap) -> Iterator[Autoencoder]:
    """Every pair of a dense model and a step that trains it to restore its input; nothing when it is not clear which
    model a step trains."""
    models = [model for file in code.python_files for model in dense_models(file, code.module(file))]
    if not models:
        return
    calls = {file: _calls(code.module(file)) for file in code.python_files}
    methods = [(name, caller) for names in calls.values() for name, caller in names if "." in name]
    ranks = any(name.split(".")[-1] in RANKING for names in calls.values() for name, _ in names)
    for file in code.python_files:
        for step in reconstruction_steps(file, code.module(file)):
            model = _trained(code, models, step)
            if model is not None:
                called = {name.split(".")[-1] for name, caller in methods if caller != model.name}
                yield Autoencoder(model, step, written_sizes(code, model), ranks, model.methods & called)


def _trained(code: CodeMap, models: list[DenseModel], step: ReconstructionStep) -> DenseModel | None:
    """The model that the variable of the step was made from; the only one there is when nothing says otherwise."""
    last = step.model.split(".")[-1]
    made: set[str] = set()
    for file in code.python_files:
        made |= _classes_assigned(code.module(file), last)
    known = [model for model in models if model.name in made]
    if len(known) == 1:
        return known[0]
    return models[0] if len(models) == 1 and not made else None


def _classes_assigned(module: cst.Module, variable: str) -> set[str]:
    """Names called in `variable = Name(...)`, `.to(device)` and its kin allowed behind it."""
    found: set[str] = set()

    class Collect(cst.CSTVisitor):
        def visit_Assign(self, node: cst.Assign) -> None:
            if any(dotted_name(target.target).split(".")[-1] == variable for target in node.targets):
                value = node.value
                while isinstance(value, cst.Call):
                    if text := dotted_name(value.func):
                        found.add(text.split(".")[-1])
                        return
                    value = value.func.value if isinstance(value.func, cst.Attribute) else value.func

    module.visit(Collect())
    return found


def _calls(module: cst.Module) -> list[tuple[str, str]]:
    """Every called name with the class around the call, empty outside of one."""
    found: list[tuple[str, str]] = []

    class Collect(cst.CSTVisitor):
        def __init__(self) -> None:
            super().__init__()
            self.classes: list[str] = []

        def visit_ClassDef(self, node: cst.ClassDef) -> None:
            self.classes.append(node.name.value)

        def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
            self.classes.pop()

        def visit_Call(self, node: cst.Call) -> None:
            name = dotted_name(node.func) or (
                f"().{node.func.attr.value}" if isinstance(node.func, cst.Attribute) else ""
            )
            if name:
                found.append((name, self.classes[-1] if self.classes else ""))

    module.visit(Collect())
    return found
