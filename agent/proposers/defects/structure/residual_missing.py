"""One of a block's two halves is added to its input, and the other replaces it.

Why it hurts: in a transformer block both the attention and the feed-forward half are added to the stream they read. Where
one replaces it, what came before is lost at every block: the network trains while it is shallow, and the deeper it is the
worse it gets. Source: defects4ml (model structure, 13 of 70); Humbatova et al. 2020.

    before                                          after
    x = x + self.attn(self.norm1(x))                x = x + self.attn(self.norm1(x))
    x = self.mlp(self.norm2(x))                     x = x + self.mlp(self.norm2(x))

Silent: functions that keep the input under another name, layers that add it themselves, and halves that change the
width.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from .found import also, at

_ATTENTION = frozenset("attn attention mha msa mixer token sa".split())
_FEED_FORWARD = frozenset("mlp ff ffn fc feed feedforward forward".split())
_KEEPERS = frozenset("residual shortcut skip identity res inputs input orig original saved".split())
_KEPT_INSIDE = frozenset("residual add output dense shortcut".split())


@dataclass(frozen=True, slots=True)
class ResidualMissing:
    name: str = "residual_missing"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if function.owner is None or not function.name.endswith("forward") or isinstance(function.node, ast.Module):
                continue
            pair = _halves(function)
            if (
                pair is not None
                and program.is_model(function.owner, function.source)
                and not _adds_inside(pair[1], function, program)
            ):
                yield self._finding(*pair, function)

    def _finding(self, added: ast.Assign, replaced: ast.Assign, function: Function) -> Finding:
        name, value = ast.unparse(replaced.targets[0]), function.source.segment(replaced.value)
        why = f"Line {added.lineno} adds its half to `{name}`, and this one replaces it: what came before is lost here."
        edit = function.rewrite(replaced, f"{name} = {name} + {value}")
        found = at(self.name, function, replaced, f"Add this half of the block to {name}", why, (edit,))
        return replace(found, evidence=(also(function, added, "the other half is added"),))


def _halves(function: Function) -> tuple[ast.Assign, ast.Assign] | None:
    """The half that is added and the one that is not, both plain statements of the function's body."""
    if isinstance(function.node, ast.Module) or any(_keeps_input(n) for n in function.own):
        return None
    body = [
        s
        for s in function.node.body
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name)
    ]
    added = [(s, kind) for s in body if (kind := _kind(s, added=True))]
    replaced = [(s, kind) for s in body if (kind := _kind(s, added=False))]
    if len(added) != 1 or len(replaced) != 1 or added[0][1] == replaced[0][1]:
        return None
    first, second = added[0][0], replaced[0][0]
    return (first, second) if ast.unparse(first.targets[0]) == ast.unparse(second.targets[0]) else None


def _keeps_input(node: ast.AST) -> bool:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return bool(_KEEPERS & set(words(node.id)))
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)


def _kind(statement: ast.Assign, added: bool) -> str:
    """`attention` or `feed_forward` for a statement that runs that half and (does not) add its input."""
    name, value = ast.unparse(statement.targets[0]), statement.value
    if added:
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
            return ""
        sides = [value.left, value.right]
        layers = [s for s in sides if ast.unparse(s) != name]
        return _half(layers[0], name) if len(layers) == 1 else ""
    return _half(value, name)


def _half(node: ast.expr, name: str) -> str:
    """The half that `self.f(self.g(x))` runs, told by the names of its layers; empty if anything else is in it."""
    said: set[str] = set()
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if ast.unparse(node.func.value) != "self":
            return ""
        said.update(words(called_name(node)))
        node = node.args[0]
    if ast.unparse(node) != name or {"proj", "down", "embed", "head", "pool"} & said:
        return ""
    attention, feed = bool(_ATTENTION & said), bool(_FEED_FORWARD & said)
    return "" if attention is feed else "attention" if attention else "feed_forward"


def _adds_inside(statement: ast.Assign, function: Function, program: Program) -> bool:
    """Whether the layer is not in sight, or its own forward adds."""
    node = statement.value
    while isinstance(node, ast.Call) and node.args:
        for value, home in program.values(node.func, function):
            if not isinstance(value, ast.Call):
                return True
            full = home.source.full(value.func)
            if full.startswith("torch.nn."):
                continue
            found = program.find_class(called_name(value), home.source)
            forward = program.method(*found, "forward") if found is not None else None
            if forward is None or _KEPT_INSIDE & {
                w for n in forward.everything if isinstance(n, ast.Name | ast.Attribute) for w in words(ast.unparse(n))
            }:
                return True
            returned = [n for r in forward.returns for n in ast.walk(r)]
            if any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add) for n in (*returned, *forward.everything)):
                return True
        node = node.args[0]
    return False
