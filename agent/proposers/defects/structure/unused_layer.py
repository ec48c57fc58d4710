"""A layer that is made in the constructor and never called.

Why it hurts: somebody meant the layer to be there. The norm, the dropout or the second projection is in the checkpoint
and in the count of parameters, and not in the function the model computes; often the layer beside it is called twice
in its place. Source: Humbatova et al. 2020 (missing and redundant layers); defects4ml (missing layer).

    before                                          after
    x = x + self.attn(self.norm1(x))                x = x + self.attn(self.norm1(x))
    x = x + self.mlp(self.norm1(x))                 x = x + self.mlp(self.norm2(x))

Where a numbered sibling is called twice, its second call is given to the one that is not called; otherwise the finding
has no edit, because where the layer belongs is its author's to say.

Silent: layers that any class of the program reads by that name, classes that walk over their children or look attributes
up by computed names, classes without a forward of their own, layers without an effect, and lines whose comment says
that the layer is kept for old checkpoints.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, Source
from .found import at
from .layers import Layer, layers_of, methods

_WALKS = frozenset(
    "children named_children modules named_modules getattr __getattr__ vars locals _modules add_module setattr "
    "get_submodule".split()
)
_KEPT = ("unused", "not used", "compat", "checkpoint", "legacy", "backward", "load", "noqa")
_WITHOUT_EFFECT = frozenset("Identity".split())
_MARKS = frozenset("compile script fx quant_stub dequant_stub quant dequant".split())


@dataclass(frozen=True, slots=True)
class UnusedLayer:
    name: str = "unused_layer"

    def detect(self, program: Program) -> Iterable[Finding]:
        reads = _Reads(program)
        for source in program.sources:
            for owner in source.classes:
                if "forward" not in {f.name.rpartition(".")[2] for f in methods(owner, source)}:
                    continue
                unused = [one for one in layers_of(owner, source, program) if not reads.has(one.name)]
                if not unused or not program.is_model(owner, source) or _walks(owner, source, program):
                    continue
                for layer in unused:
                    if _is_meant(layer, owner, source):
                        yield self._finding(layer, owner, source)

    def _finding(self, layer: Layer, owner: ast.ClassDef, source: Source) -> Finding:
        edits = _edits(layer, owner, source)
        kind = called_name(layer.made)
        why = f"`self.{layer.name}`, a {kind}, is made here and never called: the model works without it."
        title = f"Call self.{layer.name}, which is made and never used"
        found = at(self.name, layer.function, layer.statement, title, why, edits)
        return replace(found, confidence="high" if edits else "medium")


class _Reads:
    """Attribute names that the program reads, by any object, and texts that may be such names."""

    def __init__(self, program: Program) -> None:
        self._program = program

    @cached_property
    def _names(self) -> frozenset[str]:
        found: set[str] = set()
        for source in self._program.sources:
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load | ast.Del):
                    found.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 80:
                    found.update(node.value.replace("/", ".").split("."))
        return frozenset(found)

    def has(self, name: str) -> bool:
        return name in self._names


def _walks(owner: ast.ClassDef, source: Source, program: Program) -> bool:
    """Whether the class, a base, or one built on it may reach its layers without naming them."""
    used = {
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(owner) if isinstance(n, ast.Name | ast.Attribute)
    }
    if _WALKS & used or {"torchscript", "jit"} & used:
        return True
    for base in program.bases(owner, source):
        if base.endswith(("Module", "LightningModule")):
            continue
        found = program.find_class(base, source)
        if found is None:
            return True  # a base that is not in sight may use it
        names = {n.attr for n in ast.walk(found[0]) if isinstance(n, ast.Attribute)}
        if _WALKS & names:
            return True
    return False


def _is_meant(layer: Layer, owner: ast.ClassDef, source: Source) -> bool:
    if called_name(layer.made) in _WITHOUT_EFFECT or layer.name.startswith("_") or layer.name in _MARKS:
        return False
    first, last = layer.statement.lineno - 2, layer.statement.end_lineno or layer.statement.lineno
    comments = " ".join(line.partition("#")[2] for line in source.lines[max(first, 0) : last]).lower()
    if any(word in comments for word in _KEPT):
        return False
    forward = [f for f in methods(owner, source) if f.name.endswith(".forward")]
    return not all(_is_stub(f) for f in forward)


def _is_stub(function: Function) -> bool:
    return not any(isinstance(n, ast.Return | ast.Yield) for n in function.own)


def _edits(layer: Layer, owner: ast.ClassDef, source: Source) -> tuple[Edit, ...]:
    """The second call of a sibling that differs in its number only, given to this layer."""
    stem = layer.name.rstrip("0123456789")
    if stem == layer.name:
        return ()
    for function in methods(owner, source):
        if not function.name.endswith(".forward"):
            continue
        calls = [c for c in function.calls if _is_sibling(c, layer.name, stem)]
        names = [ast.unparse(c.func) for c in calls]
        twice = [c for c in calls if names.count(ast.unparse(c.func)) > 1]
        if len(twice) == 2 and names.count(names[0]) == 2:
            second = max(twice, key=lambda c: (c.lineno, c.col_offset))
            text, func = source.segment(second), source.segment(second.func)
            same = _made_alike(layer, ast.unparse(second.func).removeprefix("self."), owner, source)
            if same:
                return (function.replace(second, f"self.{layer.name}{text[len(func) :]}"),)
    return ()


def _is_sibling(call: ast.Call, name: str, stem: str) -> bool:
    text = ast.unparse(call.func).removeprefix("self.")
    return isinstance(call.func, ast.Attribute) and text != name and text.rstrip("0123456789") == stem


def _made_alike(layer: Layer, other: str, owner: ast.ClassDef, source: Source) -> bool:
    """Whether the sibling is a layer of the same class and sizes."""
    values = [v for f in methods(owner, source) for _, v in f.assignments(f"self.{other}")]
    return len(values) == 1 and ast.unparse(values[0]) == ast.unparse(layer.made)
