"""What an expression ends in: a softmax, a sigmoid, a linear layer, looked for through variables, layers and models."""

import ast
from dataclasses import dataclass, replace

from ...proposal import Edit
from .program import Program, called_name, keyword_of
from .source import Function, Source, words

ACTIVATIONS = {
    "softmax": "softmax", "Softmax": "softmax", "log_softmax": "log_softmax", "LogSoftmax": "log_softmax",
    "sigmoid": "sigmoid", "Sigmoid": "sigmoid",
}  # fmt: skip
LAYERS = frozenset("Linear LazyLinear Conv1d Conv2d Conv3d Bilinear".split())
RESHAPING = frozenset("squeeze view flatten reshape unsqueeze contiguous float".split())
Model = tuple[ast.ClassDef, Source]


@dataclass(frozen=True)
class Ending:
    """The last thing done to an output, and how to take it away."""

    kind: str
    """`softmax`, `log_softmax`, `sigmoid`, or `linear` for a layer whose output is used as it is."""
    function: Function
    node: ast.expr
    """The call that does it, or the layer in its container."""
    inner: ast.expr | None = None
    """What it is applied to; None for a layer in a container."""
    model: Model | None = None
    """The class whose `forward` ends so; None when it stands in the code that uses the output."""

    def removal(self) -> Edit | None:
        """The edit after which the output is what the ending was applied to."""
        if self.kind == "linear":
            return None
        if self.inner is not None:
            assigned = self.function.source.statement(self.node)
            if ast.unparse(assigned) == f"{ast.unparse(self.inner)} = {ast.unparse(self.node)}":
                return self.function.edit("delete_statement", **self.function.anchor(assigned))
            return self.function.replace(self.node, self.function.source.segment(self.inner))
        statement = self.function.source.parents[self.node]
        if isinstance(statement, ast.Call) and called_name(statement) == "append":
            return self.function.edit(
                "delete_statement", **self.function.anchor(self.function.source.statement(statement))
            )
        if isinstance(statement, ast.Tuple):
            return self.function.edit("remove_argument", argument=ast.unparse(statement))  # ("name", layer)
        text = ast.unparse(self.node)
        holders = [n for n in self.function.everything if isinstance(n, ast.Call | ast.List | ast.Tuple)]
        same = [e for n in holders for e in _elements(n) if ast.unparse(e) == text]
        same.sort(key=lambda node: (node.lineno, node.col_offset))
        extra = {} if len(same) == 1 else {"nth": str(same.index(self.node) + 1)}
        return self.function.edit("remove_argument", argument=text, **extra)


def _elements(node: ast.Call | ast.List | ast.Tuple) -> list[ast.expr]:
    return node.args if isinstance(node, ast.Call) else node.elts


class Heads:
    """Looks endings up in one program."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def of(self, node: ast.expr, function: Function, depth: int = 8) -> Ending | None:
        """The ending of an expression; None when it cannot be told."""
        if depth == 0:
            return None
        if isinstance(node, ast.Name):
            value = function.last_value(node.id, node.lineno)
            if value is None or _is_conditional(value, node, function):
                return None
            return self.of(value, function, depth - 1)
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Call)
            and isinstance(node.slice, ast.Constant)
        ):
            return self._of_call(node.value, function, depth, node.slice.value)
        if isinstance(node, ast.Call):
            return self._of_call(node, function, depth, None)
        return None

    def _of_call(self, call: ast.Call, function: Function, depth: int, index: object) -> Ending | None:
        name, full = called_name(call), function.source.full(call.func)
        if name in ("softmax", "log_softmax", "sigmoid") and index is None:
            if full.startswith("torch.") and call.args:
                return Ending(ACTIVATIONS[name], function, call, call.args[0])
            if (
                isinstance(call.func, ast.Attribute)
                and not self._program.callees(call, function)
                and not self._is_layer(call, function)
            ):
                return Ending(ACTIVATIONS[name], function, call, call.func.value)
        if name in RESHAPING and isinstance(call.func, ast.Attribute) and not full.startswith("torch."):
            return self.of(call.func.value, function, depth - 1)
        if name in RESHAPING and full.startswith("torch.") and call.args:
            return self.of(call.args[0], function, depth - 1)
        target = call.func.value if name == "forward" and isinstance(call.func, ast.Attribute) else call.func
        return self._of_layer(call, target, function, depth, index)

    def _is_layer(self, call: ast.Call, function: Function) -> bool:
        """`self.softmax(x)` is a layer, `x.softmax(1)` a method."""
        return any(isinstance(v, ast.Call) for v, _ in self._program.values(call.func, function))

    def _of_layer(
        self, call: ast.Call, target: ast.expr, function: Function, depth: int, index: object
    ) -> Ending | None:  # fmt: skip
        """The ending of `target(...)`, whatever layer, container, model or method `target` is."""
        if ast.unparse(target) == "self" and function.owner is not None:
            return self._of_class((function.owner, function.source), depth - 1, index)
        layers = [(target, function)] if isinstance(target, ast.Call) else list(self._program.values(target, function))
        endings: list[Ending] = []
        for layer, home in layers:
            if not isinstance(layer, ast.Call):
                continue
            name = called_name(layer)
            if name in ACTIVATIONS and name[0].isupper() and call.args:
                return Ending(ACTIVATIONS[name], function, call, call.args[0])
            if found := self._of_made(layer, home, depth - 1, index):
                endings.append(found)
        if endings:  # made in several ways, `if plain: self.head = Linear() else: ...`: they must agree
            return endings[0] if len({ending.kind for ending in endings}) == 1 else None
        if isinstance(target, ast.Name | ast.Attribute):
            methods = self._program.callees(call, function)
            if len(methods) == 1 and methods[0].node is not function.node and target is call.func:
                return self._of_returns(methods[0], depth - 1, index)
            if not layers and words(ast.unparse(target))[-1:] in (("model",), ("net",), ("network",), ("classifier",)):
                sole = self._sole_model()
                return self._of_class(sole, depth - 1, index) if sole else None
        return None

    def _of_made(self, layer: ast.Call, home: Function, depth: int, index: object) -> Ending | None:
        """The ending of a layer, container or model, given the call that makes it."""
        name = called_name(layer)
        if name in LAYERS:
            return Ending("linear", home, layer)
        if name == "Sequential":
            last = self._last_of(layer.args, home)
            return self._of_element(last, home, depth) if last is not None else None
        found = self._program.find_class(name, home.source)
        if found is not None and self._program.is_model(*found):
            return self._of_class(found, depth, index)
        return None

    def _of_element(self, node: ast.expr, home: Function, depth: int) -> Ending | None:
        if isinstance(node, ast.Call) and called_name(node) in ACTIVATIONS:
            return Ending(ACTIVATIONS[called_name(node)], home, node)
        for value, where in self._program.values(node, home):
            if isinstance(value, ast.Call) and (found := self._of_made(value, where, depth - 1, None)):
                return found
        return None

    def _last_of(self, items: list[ast.expr], home: Function) -> ast.expr | None:
        """The last layer of a container's arguments: of `*layers`, of an OrderedDict, of a list."""
        if not items:
            return None
        last = items[-1]
        if isinstance(last, ast.Starred) and isinstance(last.value, ast.Name):
            name = last.value.id
            appended = [c for c in home.calls if ast.unparse(c.func) == f"{name}.append" and c.args]
            if appended:
                return appended[-1].args[0] if not home.source.loops(appended[-1]) else None
            value = home.last_value(name, last.lineno)
            return self._last_of(value.elts, home) if isinstance(value, ast.List) else None
        if isinstance(last, ast.Call) and called_name(last) == "OrderedDict" and last.args:
            return self._last_of(last.args, home)
        if isinstance(last, ast.List):
            return self._last_of(last.elts, home)
        if isinstance(last, ast.Tuple) and len(last.elts) == 2:
            return last.elts[1]
        return None if isinstance(last, ast.Starred) else last

    def _of_class(self, model: Model, depth: int, index: object) -> Ending | None:
        forward = self._program.method(*model, "forward")
        if forward is None:
            return None
        if any(isinstance(n, ast.Attribute) and n.attr == "training" for n in forward.own):
            return None  # another output in training: its author thought of it
        found = self._of_returns(forward, depth, index)
        return replace(found, model=model) if found is not None else None

    def _of_returns(self, function: Function, depth: int, index: object) -> Ending | None:
        """The ending that every return of a function has."""
        endings: list[Ending | None] = []
        for value in function.returns:
            if isinstance(value, ast.Tuple):
                element = value.elts[index] if isinstance(index, int) and index < len(value.elts) else None
                endings.append(self.of(element, function, depth) if element is not None else None)
            else:
                endings.append(self.of(value, function, depth) if index is None else None)
        if not endings or any(e is None or e.kind != (endings[0].kind if endings[0] else "") for e in endings):
            return None
        return endings[0] if len(endings) == 1 else None

    def _sole_model(self) -> Model | None:
        """The one model of the program that is no part of another; None when there are more."""
        whole = self._program.whole_models
        return whole[0] if len(whole) == 1 else None


def _is_conditional(value: ast.expr, use: ast.expr, function: Function) -> bool:
    """Whether a name was given this value under a condition that the use does not stand under."""
    parents = function.source.parents
    # An element of an unpacked call has no place of its own.
    node: ast.AST = value if value in parents or not isinstance(value, ast.Subscript) else value.value
    conditions = [above for above in function.source.ancestors(node) if isinstance(above, ast.If | ast.Try | ast.Match)]
    around = set(function.source.ancestors(use))
    return any(condition not in around for condition in conditions)


def out_features(layer: ast.Call, function: Function) -> ast.expr | None:
    """What a linear layer gets as its number of outputs."""
    given = keyword_of(layer, "out_features")
    return given if given is not None else layer.args[1] if len(layer.args) > 1 else None
