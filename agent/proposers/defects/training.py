"""Where a program trains: calls of backward, step and zero_grad, and the models and loops around them."""

import ast
from collections.abc import Iterable, Iterator

from .program import Program, called_name, receiver
from .source import Function, Loop, words

MODEL_WORDS = frozenset(
    "model net network classifier encoder decoder autoencoder ae vae generator discriminator backbone mlp cnn rnn lstm "
    "gru transformer resnet regressor module policy ddp".split()
)
TRAIN_WORDS = frozenset("train training trn tr".split())
HELD_OUT_WORDS = frozenset(
    "val valid validation validate test testing dev eval evaluate evaluation holdout heldout".split()
)


def is_backward(node: ast.AST) -> bool:
    """`loss.backward()`, `scaler.scale(loss).backward()`, `accelerator.backward(loss)`, `self.manual_backward(loss)`."""
    if not isinstance(node, ast.Call) or called_name(node) not in ("backward", "manual_backward"):
        return False
    target = receiver(node)
    return target is not None and ast.unparse(target) not in ("super()", "ctx") and not _is_distributed(target)


def _is_distributed(target: ast.expr) -> bool:
    """`torch.distributed.autograd` keeps gradients in a context of each pass: nothing adds up and nothing is cleared."""
    return ast.unparse(target).endswith(("dist_autograd", "distributed.autograd"))


def is_zero_grad(node: ast.AST) -> bool:
    """A call that clears gradients by any of its names, `p.grad = None`, or `p.grad.zero_()`."""
    if isinstance(node, ast.Call):
        name = called_name(node)
        target = receiver(node)
        return "zero_grad" in name or (name == "zero_" and target is not None and "grad" in ast.unparse(target))
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Attribute) and t.attr == "grad" for t in node.targets)


def stepped_optimizer(node: ast.AST, function: Function, program: Program) -> ast.expr | None:
    """The optimizer that a call steps, `opt` of `opt.step()` and of `scaler.step(opt)`; None for any other call."""
    if not isinstance(node, ast.Call) or called_name(node) != "step":
        return None
    target = receiver(node)
    if target is None:
        return None
    if "scaler" in ast.unparse(target).lower() and len(node.args) == 1:
        return node.args[0]
    return target if is_optimizer(target, function, program) else None


def is_optimizer(node: ast.expr, function: Function, program: Program) -> bool:
    named = words(ast.unparse(node))
    if any(word in ("scheduler", "sched", "env", "profiler", "prof") for word in named):
        return False
    if any(word.startswith("optim") or word in ("opt", "opts") for word in named) or (
        named[-1:] and named[-1].startswith("opt")
    ):
        return True
    values = program.values(node, function)
    return any(isinstance(v, ast.Call) and ".optim." in f".{f.source.full(v.func)}" for v, f in values)


def backwards(function: Function) -> list[ast.Call]:
    return [call for call in function.calls if is_backward(call)]


def steps(function: Function, program: Program) -> list[tuple[ast.Call, ast.expr]]:
    """Calls that step an optimizer, with the optimizer."""
    found = [(call, stepped_optimizer(call, function, program)) for call in function.calls]
    return [(call, optimizer) for call, optimizer in found if optimizer is not None]


def trains(function: Function) -> bool:
    return any(is_backward(node) for node in function.everything)


def batch_loop(call: ast.Call, function: Function) -> Loop | None:
    """The innermost loop around a backward."""
    loops = function.source.loops(call)
    return loops[0] if loops else None


def is_mini_batch_loop(loop: ast.AST) -> bool:
    """A loop over a loader, or over the starts of slices; `for step in range(n)` is not one."""
    if not isinstance(loop, ast.For | ast.AsyncFor):
        return False
    iterated: ast.expr = loop.iter
    while isinstance(iterated, ast.Call) and called_name(iterated) in (
        "enumerate",
        "tqdm",
        "zip",
        "iter",
        "track",
        "trange",
    ):
        if called_name(iterated) == "trange" or not iterated.args:
            break
        iterated = iterated.args[0]
    if isinstance(iterated, ast.Call) and called_name(iterated) in ("range", "trange"):
        return len(iterated.args) == 3
    return not isinstance(iterated, ast.List | ast.Tuple | ast.Constant)


def model_calls(function: Function, program: Program) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Forward passes in a function's own statements: the call, and the model as it is written there."""
    for call in function.calls:
        target: ast.expr = call.func
        if isinstance(target, ast.Attribute) and target.attr == "forward":
            target = target.value
        if not (call.args or call.keywords) or not isinstance(target, ast.Name | ast.Attribute):
            continue
        if is_model_value(target, function, program):
            yield call, target


def is_model_value(node: ast.expr, function: Function, program: Program) -> bool:
    text = ast.unparse(node)
    if text in ("self", "super", "cls") or function.source.full(node).startswith(("torch.", "numpy.", "np.")):
        return False
    if isinstance(node, ast.Name) and program.find_class(node.id, function.source) is not None:
        return False
    if isinstance(node, ast.Name) and (node.id in function.source.aliases or program.callees(_call(node), function)):
        return False
    if isinstance(node, ast.Attribute) and program.method_named(node.attr, function):
        return False
    resolved = list(program.values(node, function))
    for value, home in resolved:
        if isinstance(value, ast.Call) and _makes_model(value, home, program):
            return True
    last = words(text)[-1:]
    return (
        bool(last)
        and last[0].rstrip("0123456789") in MODEL_WORDS
        and "torch" in " ".join(function.source.aliases.values())
    )


def _call(node: ast.Name) -> ast.Call:
    return ast.Call(node, [], [])


def _makes_model(call: ast.Call, function: Function, program: Program) -> bool:
    found = program.find_class(called_name(call), function.source)
    if found is not None:
        return program.is_model(*found)
    full = function.source.full(call.func)
    return full.endswith("nn.Sequential") or full.startswith(("torchvision.models.", "timm.create_model"))


def has_call(nodes: Iterable[ast.AST], name: str) -> bool:
    return any(isinstance(node, ast.Call) and called_name(node) == name for node in nodes)


def mentions(node: ast.AST, vocabulary: frozenset[str]) -> bool:
    """Whether a name in the expression has one of the words: `self.val_loader`, `loaders["test"]`."""
    for inner in ast.walk(node):
        name = inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and len(inner.value) < 30:
            name = inner.value
        if vocabulary.intersection(words(name)):
            return True
    return False
