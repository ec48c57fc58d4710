"""`requires_grad` set on a module, where it is a plain attribute that nothing reads.

Why it hurts: parameters have `requires_grad`, modules do not. Python makes the attribute and says nothing; the layers
that were to be frozen go on training, or those to be trained stay frozen. Source: Humbatova et al. 2020 (training
process: wrong freezing); defects4ml.

    before                                          after
    model.backbone.requires_grad = False            model.backbone.requires_grad_(False)

Silent: parameters and tensors, loops over `parameters()`, and classes that define `requires_grad` themselves.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from ..training import is_model_value
from .found import at

_MODULES = frozenset("children modules named_children named_modules".split())


@dataclass(frozen=True, slots=True)
class FreezeWithoutEffect:
    name: str = "freeze_without_effect"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                    continue
                target = node.targets[0]
                if not isinstance(target, ast.Attribute) or target.attr != "requires_grad":
                    continue
                if not _is_module(target.value, function, program):
                    continue
                text, value = function.source.segment(target.value), function.source.segment(node.value)
                edit = function.rewrite(node, f"{text}.requires_grad_({value})")
                why = (
                    f"`{text}` is a module: this makes an attribute nobody reads, and its parameters stay as they were."
                )
                yield replace(
                    at(self.name, function, node, f"Set requires_grad of the parameters of {text}", why, (edit,)),
                    confidence="high",
                )


def _is_module(node: ast.expr, function: Function, program: Program) -> bool:
    if _may_be_parameter(ast.unparse(node), function):
        return False
    if isinstance(node, ast.Name) and _loops_over_modules(node.id, function):
        return True
    if any("requires_grad" in f.name for f in program.functions if f.owner is not None):
        return False  # some class gives the attribute a meaning
    values = [(v, f) for v, f in program.values(node, function) if isinstance(v, ast.Call)]
    if any(_makes_layer(value, home, program) for value, home in values):
        return True
    return not values and isinstance(node, ast.Name) and is_model_value(node, function, program)


def _may_be_parameter(text: str, function: Function) -> bool:
    """Whether the function asks if it is a parameter."""
    asked = [call for call in function.calls if called_name(call) == "isinstance" and len(call.args) == 2]
    return any(ast.unparse(c.args[0]) == text and "Parameter" in ast.unparse(c.args[1]) for c in asked)


def _loops_over_modules(name: str, function: Function) -> bool:
    """Whether a name is what a loop over `children()` or `modules()` gives."""
    for node in function.own:
        if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
            continue
        kind = called_name(node.iter)
        if kind not in _MODULES:
            continue
        target = (
            node.target.elts[-1] if isinstance(node.target, ast.Tuple) and kind.startswith("named") else node.target
        )
        if ast.unparse(target) == name and not _narrows_to_parameters(name, node):
            return True
    return False


def _narrows_to_parameters(name: str, loop: ast.For) -> bool:
    return any(isinstance(n, ast.For) and n is not loop and ast.unparse(n.target) == name for n in ast.walk(loop))


def _makes_layer(call: ast.Call, function: Function, program: Program) -> bool:
    full = function.source.full(call.func)
    plain = full.rpartition(".")[2]
    if full.startswith("torch.nn.") and plain[:1].isupper():
        return plain not in ("Parameter", "Buffer") and ".functional." not in full
    found = program.find_class(called_name(call), function.source)
    return found is not None and program.is_model(*found)
