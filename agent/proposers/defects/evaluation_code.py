"""Where a program evaluates or predicts, and what is missing there."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...proposal import Edit
from .mode_layers import ModeLayers
from .program import Program
from .source import Function, words
from .training import HELD_OUT_WORDS, backwards, has_call, is_backward, mentions, model_calls, trains
from .training_mode import calls_train, restoring_edits

JUDGING = HELD_OUT_WORDS | {"accuracy", "score", "predict", "prediction", "predictions", "infer", "inference"}
"""Words in the name of a function, or of a script, that evaluates."""
NOT_JUDGING = frozenset(
    "train training loss step adversarial attack saliency grad gradients optimize update bn calibrate recalibrate swa ema "
    "mc dropout uncertainty init warmup profile summary shape shapes flops target teacher momentum forward".split()
)
NO_GRAD = ("no_grad", "inference_mode", "set_grad_enabled")


@dataclass(frozen=True)
class Evaluation:
    """A function that evaluates, or a loop over held-out data inside a function that trains."""

    function: Function
    call: ast.Call
    """The first forward pass."""
    model: str
    loop: ast.stmt | None
    """The loop, when only it evaluates."""
    needs_eval: bool
    needs_no_grad: bool

    def eval_edits(self, program: Program) -> tuple[Edit, ...]:
        function = self.function
        code = f"{self.model}.eval()"
        if self.loop is not None:
            return (function.insert(code, "before", self.loop), *restoring_edits(function, self.model, program))
        made = [line for line, _ in function.assignments(self.model) if line <= self.call.lineno]
        if not made and function.name:
            return (function.insert(code, "first"), *restoring_edits(function, self.model, program))
        statement = _outermost(function, self.call)
        return (function.insert(code, "before", statement), *restoring_edits(function, self.model, program))

    def no_grad_edits(self) -> tuple[Edit, ...]:
        function, source = self.function, self.function.source
        torch = source.aliases.get("torch") == "torch"
        imported = () if torch else (source.functions[0].edit("add_import", code="import torch"),)
        if self.loop is not None:
            return (*imported, function.edit("wrap_in_with", context="torch.no_grad()", **function.anchor(self.loop)))
        if function.name:
            return (*imported, function.edit("add_decorator", decorator="torch.no_grad()"))
        statement = _outermost(function, self.call)
        return (*imported, function.edit("wrap_in_with", context="torch.no_grad()", **function.anchor(statement)))


def evaluations(program: Program) -> Iterator[Evaluation]:
    """Every place that evaluates, with what it lacks."""
    layers = ModeLayers(program)
    for function in program.functions:
        if program.is_framework(function) or _is_model_method(function, program):
            continue
        if _judges(function, program):
            found = list(model_calls(function, program))
            if found:
                yield _whole(function, *found[0], layers, program)
        elif backwards(function):
            yield from _loops(function, layers, program)


def _whole(function: Function, call: ast.Call, model: ast.expr, layers: ModeLayers, program: Program) -> Evaluation:
    around = [function, *_around(function, program)]
    eval_is_called = any(sets_eval(f.everything) for f in [*around, *_setters(around, program)]) or any(
        sets_eval(f.everything) for c in function.calls for f in program.reach(c, function)
    )
    no_grad = any(_is_decorated(f) or _without_grad(f.everything) for f in around)
    needs_grad = _differentiates(function) or _yields(function)
    return Evaluation(
        function,
        call,
        ast.unparse(model),
        None,
        not eval_is_called and not calls_train(function.own) and layers.matter(model, function),
        not no_grad and not needs_grad,
    )


def _around(function: Function, program: Program) -> list[Function]:
    """Who may have set the mode before: callers, their callers, and the constructor of the class."""
    callers = [caller for caller, _ in program.callers(function)]
    callers += [above for caller in callers for above, _ in program.callers(caller)]
    if function.owner is not None:
        init = program.method(function.owner, function.source, "__init__")
        callers += [init] if init is not None else []
        callers += [
            f for f in function.source.functions if f.owner is function.owner and f.name.endswith(("load", "_model"))
        ]
    callers.append(function.source.functions[0])
    if not isinstance(function.node, ast.Module):
        for decorator in function.node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
            callers += program.callees(call, function)
    return callers


def _setters(around: list[Function], program: Program) -> Iterator[Function]:
    """What the callers call to make the model or to set its mode; other evaluations set it for themselves."""
    for caller in around[1:]:
        for call in caller.calls:
            for callee in program.callees(call, caller):
                if callee not in around and not any(True for _ in model_calls(callee, program)):
                    yield callee


def _loops(function: Function, layers: ModeLayers, program: Program) -> Iterator[Evaluation]:
    """Loops over held-out data in a function that trains."""
    for node in function.own:
        if not isinstance(node, ast.For | ast.AsyncFor) or not mentions(node.iter, HELD_OUT_WORDS):
            continue
        inside = set(ast.walk(node))
        if any(is_backward(inner) for inner in inside):
            continue
        found = [(call, model) for call, model in model_calls(function, program) if call in inside]
        if not found or any(outer in inside for outer in function.source.loops(node)):
            continue
        call, model = found[0]
        covered = any(isinstance(a, ast.With | ast.AsyncWith) and _without_grad(i.context_expr for i in a.items)
                      for a in [*function.source.ancestors(node), *function.source.ancestors(call)])  # fmt: skip
        eval_is_called = sets_eval(function.everything)
        no_grad = covered or _is_decorated(function) or has_call(function.everything, "set_grad_enabled")
        needs_eval = not eval_is_called and layers.matter(model, function)
        if needs_eval or not no_grad:
            yield Evaluation(function, call, ast.unparse(model), node, needs_eval, not no_grad)


def sets_eval(nodes: Iterable[ast.AST]) -> bool:
    """Whether something is put into evaluation mode: `eval()`, `train(False)`, `train(mode)`."""
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "eval" and not node.args:
            return True
        given = [*node.args, *(k.value for k in node.keywords)]
        if (
            node.func.attr == "train"
            and len(given) == 1
            and not (isinstance(given[0], ast.Constant) and given[0].value)
        ):
            return True
    return False


def _judges(function: Function, program: Program) -> bool:
    stem = frozenset(words(PurePosixPath(function.source.path).stem))
    own = function.words
    if not own or own & {"main", "run", "cli"}:
        own = stem
    if own & NOT_JUDGING or trains(function):
        return False
    if not own & JUDGING and not has_call(function.own, "load_state_dict") and not _answers(function, program):
        return False
    if not own & (HELD_OUT_WORDS | {"accuracy"}) and any(
        is_backward(n) for c, _ in program.callers(function) for n in c.own
    ):
        return False  # its result may be what is differentiated
    return not any(is_backward(n) for c in function.calls for f in program.reach(c, function, 1) for n in f.own)


def _answers(function: Function, program: Program) -> bool:
    """Whether a function applies a model without gradients, and no training uses what it returns."""
    without = _is_decorated(function) or any(
        _without_grad(item.context_expr for item in node.items) for node in function.own if isinstance(node, ast.With)
    )
    if not without or not function.name or function.words & NOT_JUDGING:
        return False
    return not any(is_backward(n) for caller, _ in program.callers(function) for n in caller.own)


def _is_model_method(function: Function, program: Program) -> bool:
    return function.owner is not None and program.is_model(function.owner, function.source)


def _is_decorated(function: Function) -> bool:
    return not isinstance(function.node, ast.Module) and _without_grad(function.node.decorator_list)


def _without_grad(nodes: Iterable[ast.AST]) -> bool:
    return any(
        (isinstance(inner, ast.Attribute) and inner.attr in NO_GRAD)
        or (isinstance(inner, ast.Name) and inner.id in NO_GRAD)
        for node in nodes
        for inner in ast.walk(node)
    )


def _differentiates(function: Function) -> bool:
    names = {n.attr for n in function.everything if isinstance(n, ast.Attribute)}
    return bool(names & {"grad", "autograd", "requires_grad_", "requires_grad"})


def _yields(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in function.own)


def _outermost(function: Function, node: ast.AST) -> ast.stmt:
    """The statement of the function's own block around a node; an `if` or `with` in between is entered."""
    statement = function.source.statement(node)
    for above in function.source.ancestors(statement):
        if isinstance(above, ast.For | ast.AsyncFor | ast.While):
            statement = above
        elif isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
    return statement
