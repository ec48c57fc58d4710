"""Training that has to be put back into training mode after an evaluation."""

import ast
from collections.abc import Iterable, Iterator

from ...proposal import Edit, Evidence
from .base import Finding
from .mode_layers import ModeLayers
from .program import Program, called_name
from .source import Function, Loop, words
from .training import backwards, model_calls

_SETTERS = ("train", "set_train_mode", "set_mode", "training_mode")


def restoring_edits(evaluation: Function, model: str, program: Program) -> tuple[Edit, ...]:
    """`train()` before every training loop that would go on in evaluation mode after `evaluation` has set it."""
    return tuple(
        edit
        for function, _ in _training_after(evaluation, program)
        if (edit := train_edit(function, program, model)) is not None
    )


def resumed_training(program: Program, detector: str) -> Iterator[Finding]:
    """Training loops that evaluation leaves in evaluation mode."""
    layers = ModeLayers(program)
    for function in program.functions:
        if not backwards(function) or program.is_framework(function):
            continue
        found = _eval_in_loop(function, program)
        if found is None:
            continue
        setter, call = found
        model = next((m for _, m in model_calls(function, program) if _last(m) == _last(call.func.value)), None)  # type: ignore[attr-defined]
        if model is None or not layers.matter(model, function):
            continue
        edit = train_edit(function, program, ast.unparse(model))
        if edit is None:
            continue
        yield Finding(
            detector,
            function.source.path,
            backwards(function)[0].lineno,
            function.name,
            "Return to training mode after each evaluation",
            f"Line {call.lineno} of {setter.source.path} puts the model into evaluation mode inside the training loop and "
            "nothing takes it back: from the second epoch on it trains without dropout and with frozen statistics.",
            (edit,),
            (Evidence(setter.source.path, call.lineno, "evaluation mode is set here"),),
        )


def train_edit(function: Function, program: Program, fallback: str) -> Edit | None:
    """`model.train()` before the batches of a function that trains."""
    made = backwards(function)
    if not made:
        return None
    models = [ast.unparse(m) for _, m in model_calls(function, program)]
    model = next(
        (m for m in models if m.rpartition(".")[2] == fallback.rpartition(".")[2]), models[0] if models else ""
    )
    if not model:
        return None
    loops = function.source.loops(made[0])
    if loops and (len(loops) > 1 or function.name):
        return function.insert(f"{model}.train()", "before", loops[0])
    return function.insert(f"{model}.train()", "first") if function.name and not loops else None


def _training_after(evaluation: Function, program: Program) -> Iterable[tuple[Function, ast.Call | None]]:
    """Functions that train in the loop that also runs `evaluation`, and never call `train()`."""
    if backwards(evaluation):
        return [(evaluation, None)] if not calls_train(evaluation.everything) else []
    found: list[tuple[Function, ast.Call | None]] = []
    for caller, call in program.callers(evaluation):
        loops = caller.source.loops(call)
        if not loops or calls_train(caller.everything):
            continue
        if backwards(caller):
            found.append((caller, call))
        inside = [node for node in ast.walk(loops[-1]) if isinstance(node, ast.Call)]
        for other in inside:
            for callee in program.callees(other, caller):
                if backwards(callee) and not calls_train(callee.everything):
                    found.append((callee, other))
    return list({id(function): (function, call) for function, call in found}.values())


def _eval_in_loop(function: Function, program: Program) -> tuple[Function, ast.Call] | None:
    """An `eval()` that runs between two passes of `function`'s training, with no `train()` on the way."""
    loops = function.source.loops(backwards(function)[0])
    outer: tuple[Function, Loop] | None = (function, loops[-1]) if len(loops) > 1 else None
    if outer is None:
        repeated = [(c, c.source.loops(call)[-1]) for c, call in program.callers(function) if c.source.loops(call)]
        outer = repeated[0] if len(repeated) == 1 else None
    if outer is None or calls_train(function.everything):
        return None
    home, loop = outer
    found: tuple[Function, ast.Call] | None = None
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call):
            continue
        reached = [(home, [node]), *((f, f.everything) for f in program.reach(node, home))]
        for where, nodes in reached:
            if calls_train(nodes):
                return None
            found = found or next(((where, n) for n in nodes if _is_eval(n)), None)  # type: ignore[assignment]
    return found


def _is_eval(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and called_name(node) == "eval"
        and isinstance(node.func, ast.Attribute)
        and not node.args
        and ast.unparse(node.func.value) != "self"
    )


def calls_train(nodes: Iterable[ast.AST]) -> bool:
    """Whether `train()` is called, or the mode is set in some other way that may restore it."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SETTERS:
            off = node.args and isinstance(node.args[0], ast.Constant) and not node.args[0].value
            if not off:
                return True
        if isinstance(node, ast.Attribute) and node.attr == "training":
            return True
    return False


def _last(node: ast.expr) -> str:
    return (words(ast.unparse(node)) or ("",))[-1]
