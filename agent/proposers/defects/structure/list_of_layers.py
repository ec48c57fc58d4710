"""Layers kept in a plain list or dictionary, which the model does not see.

Why it hurts: `nn.Module` registers attributes that are modules, not lists of them. The layers are missing from
`parameters()`, so the optimizer never changes them; they stay on the CPU, in training mode, and out of the checkpoint.
Source: Islam et al. 2020; defects4ml (model structure).

    before                                          after
    self.blocks = [Block(d) for _ in range(n)]      self.blocks = nn.ModuleList([Block(d) for _ in range(n)])

Silent: lists that are handed to `ModuleList`, `Sequential` or `add_module`, lists whose parameters are collected by
hand, layers without parameters, losses, and a single module hidden in a list on purpose.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function
from .found import at
from .layers import has_weights, methods

_REGISTERS = ("ModuleList", "ModuleDict", "Sequential", "add_module", "register_module", "setattr", ".parameters()")


@dataclass(frozen=True, slots=True)
class ListOfLayers:
    name: str = "list_of_layers"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if function.owner is None or function.parameters[:1] != ("self",):
                continue
            for node in function.own:
                if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                    continue
                target = node.targets[0]
                if not isinstance(target, ast.Attribute) or ast.unparse(target.value) != "self":
                    continue
                kind = _kind(node.value, function, program)
                if not kind or not program.is_model(function.owner, function.source):
                    continue
                if _is_registered(target.attr, function) or not _is_used(target.attr, function):
                    continue
                yield self._finding(node, target.attr, kind, function)

    def _finding(self, node: ast.Assign, attribute: str, kind: str, function: Function) -> Finding:
        why = f"`self.{attribute}` is a plain {'list' if kind == 'ModuleList' else 'dict'}: its layers are no part of "
        why += "`parameters()`, are not moved or saved with the model, and are never trained."
        title = f"Register the layers of self.{attribute} in an nn.{kind}"
        return replace(at(self.name, function, node, title, why, _edits(node.value, kind, function)), confidence="high")


def _kind(value: ast.expr, function: Function, program: Program) -> str:
    """`ModuleList` or `ModuleDict` for a literal that holds layers with weights."""
    if isinstance(value, ast.List) and len(value.elts) > 1:
        made, kind = value.elts, "ModuleList"
    elif isinstance(value, ast.ListComp):
        made, kind = [value.elt], "ModuleList"
    elif isinstance(value, ast.Dict) and value.keys:
        if not all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in value.keys):
            return ""
        made, kind = value.values, "ModuleDict"
    else:
        return ""
    calls = [one for one in made if isinstance(one, ast.Call)]
    if len(calls) != len(made) or not any(has_weights(call, function, program) for call in calls):
        return ""
    return kind


def _is_registered(attribute: str, function: Function) -> bool:
    """Whether the class hands the list to something that registers it, or collects its parameters itself."""
    owner = function.owner
    if owner is None:
        return False
    for node in ast.walk(owner):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        text = ast.unparse(node)
        if any(mark in text for mark in _REGISTERS) and (f"self.{attribute}" in text or "setattr" in text):
            return True
    again = [value for one in methods(owner, function.source) for _, value in one.assignments(f"self.{attribute}")]
    return len(again) > 1


def _is_used(attribute: str, function: Function) -> bool:
    owner = function.owner
    return owner is not None and any(
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value) == "self"
        for node in ast.walk(owner)
    )


def _edits(value: ast.expr, kind: str, function: Function) -> tuple[Edit, ...]:
    source = function.source
    prefix = next((f"{local}." for local, full in source.aliases.items() if full == "torch.nn"), "")
    if not prefix and "torch" in source.aliases:
        prefix = "torch.nn."
    edits = [function.replace(value, f"{prefix}{kind}({source.segment(value)})")]
    if not prefix and kind not in source.aliases:
        edits.append(source.functions[0].edit("add_import", code=f"from torch.nn import {kind}"))
    return tuple(edits)
