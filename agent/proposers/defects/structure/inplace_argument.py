"""A function changes the array it was given, and its caller goes on using it.

Why it hurts: `x /= 255` on a parameter changes the caller's array too. The second call divides again; the baseline that
was computed from the same array is one of another; what a metric gets depends on what ran before it. Source: dslinter;
seen in public fix histories.

    before                                          after
    def scaled(x):                                  def scaled(x):
        x /= 255                                        x = x / 255
        return x                                        return x

    a = scaled(images)
    b = other(images)     # divided already

Silent: parameters bound anew before, functions that return nothing and so exist for the change, callers that do not use
the array again, and numbers.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, argument_of
from ..source import Function
from .found import also, at

_SIGNS: dict[type[ast.operator], str] = {ast.Div: "/", ast.Mult: "*", ast.Sub: "-", ast.Add: "+"}
_ARRAY = frozenset(
    "shape size dim ndim mean sum std astype float dtype device T permute transpose view reshape".split()
)


@dataclass(frozen=True, slots=True)
class InplaceArgument:
    name: str = "inplace_argument"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not function.returns or function.name.endswith("_") or "inplace" in function.words:
                continue
            for node in function.own:
                if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Name):
                    continue
                if type(node.op) in _SIGNS and _is_the_callers(node, function):
                    use = _used_again(node.target.id, function, program)
                    if use is not None:
                        yield self._finding(node, *use, function)

    def _finding(self, node: ast.AugAssign, caller: Function, use: ast.AST, function: Function) -> Finding:
        name, value = ast.unparse(node.target), function.source.segment(node.value)
        value = value if isinstance(node.value, ast.Name | ast.Constant | ast.Call | ast.Attribute) else f"({value})"
        edit = function.rewrite(node, f"{name} = {name} {_SIGNS[type(node.op)]} {value}")
        why = f"`{name}` is the caller's array, changed in place; {caller.source.path} uses it again on line "
        why += f"{getattr(use, 'lineno', 0)} as if it were as before."
        found = at(self.name, function, node, f"Leave the caller's {name} as it is", why, (edit,))
        return replace(found, confidence="high", safe=True, evidence=(also(caller, use, "used again here"),))


def _is_the_callers(node: ast.AugAssign, function: Function) -> bool:
    """Whether the name is still what was passed, and an array by what is done with it."""
    name = ast.unparse(node.target)
    if name not in function.parameters or any(line <= node.lineno for line, _ in function.assignments(name)):
        return False
    if isinstance(function.node, ast.Module) or function.source.loops(node):
        return False
    for argument in (*function.node.args.args, *function.node.args.kwonlyargs):
        if argument.arg == name and argument.annotation is not None:
            said = ast.unparse(argument.annotation)
            return "Tensor" in said or "ndarray" in said
    return any(
        isinstance(n, ast.Attribute) and n.attr in _ARRAY and ast.unparse(n.value) == name for n in function.everything
    )


def _used_again(name: str, function: Function, program: Program) -> tuple[Function, ast.AST] | None:
    """A later use, in a function that calls this one, of the very name it passed."""
    for caller, call in program.callers(function):
        argument = argument_of(call, function, name)
        if not isinstance(argument, ast.Name) or len(program.callees(call, caller)) != 1:
            continue
        statement = caller.source.statement(call)
        if isinstance(statement, ast.Assign) and argument.id in {
            n.id for t in statement.targets for n in ast.walk(t) if isinstance(n, ast.Name)
        }:
            continue
        if isinstance(statement, ast.Return):
            continue
        again = sorted(line for line, _ in caller.assignments(argument.id) if line > call.lineno)
        end = statement.end_lineno or call.lineno
        for node in caller.own:
            if not isinstance(node, ast.Name) or node.id != argument.id or not isinstance(node.ctx, ast.Load):
                continue
            if end < node.lineno and (not again or node.lineno <= again[0]) and _can_follow(node, call, caller):
                return caller, node
    return None


def _can_follow(node: ast.AST, call: ast.Call, caller: Function) -> bool:
    """Whether the later line is not the other branch of a condition around the call."""
    around = {id(a): a for a in caller.source.ancestors(call)}
    for above in caller.source.ancestors(node):
        if isinstance(above, ast.If) and id(above) in around:
            chain = [node, *caller.source.ancestors(node)]
            other = [call, *caller.source.ancestors(call)]
            mine, theirs = chain[chain.index(above) - 1], other[other.index(above) - 1]
            return (mine in above.body) == (theirs in above.body)
    return True
