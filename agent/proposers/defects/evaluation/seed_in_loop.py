"""The random seed is set again at every step or for every item.

Why it hurts: dropout masks, noise, shuffles and augmentations are the same each time, so there is no randomness left to
learn from. Source: Humbatova et al. 2020; the study of NumPy seeds in data loaders at tanelp.github.io.

    before                                          after
    for x, y in loader:                             torch.manual_seed(0)
        torch.manual_seed(0)                        for x, y in loader:
        loss = f(net(x), y)                             loss = f(net(x), y)

    def __getitem__(self, i):                       def __getitem__(self, i):
        random.seed(42)                                 return augment(self.x[i])
        return augment(self.x[i])

Not flagged: loops over runs, folds or seeds, seeds that depend on the step or item, evaluation, and states that are
saved and put back.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, Loop
from ..training import is_backward, is_optimizer

_SEEDS = frozenset({
    "torch.manual_seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "numpy.random.seed", "random.seed",
    "tensorflow.random.set_seed", "lightning.seed_everything", "pytorch_lightning.seed_everything",
    "transformers.set_seed", "accelerate.utils.set_seed",
})  # fmt: skip
_OWN = frozenset({"set_seed", "seed_everything", "set_random_seed"})
_ITEMS = frozenset({"__getitem__", "collate_fn", "forward", "training_step"})


@dataclass(frozen=True, slots=True)
class SeedInLoop:
    name: str = "seed_in_loop"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
                    continue
                call = node.value
                if function.source.full(call.func) not in _SEEDS and called_name(call) not in _OWN:
                    continue
                if "get_state" in function.source.text or "get_rng_state" in function.source.text:
                    continue
                loops = function.source.loops(node)
                if loops and _trains_one_model(loops[-1], function, program) and not _varies(call, loops):
                    yield self._in_loop(function, node, loops)
                elif _is_item(function) and node in function.node.body and _is_constant(call):
                    yield self._in_item(function, node)

    def _in_loop(self, function: Function, node: ast.Expr, loops: list[Loop]) -> Finding:
        # Moved before the outermost loop: it is then set once.
        edits = (
            function.edit("delete_statement", **function.anchor(node)),
            function.insert(function.source.segment(node), "before", loops[-1]),
        )
        why = f"`{ast.unparse(node)}` runs in the training loop: every pass draws the same random numbers."
        return Finding(
            self.name, function.source.path, node.lineno, function.name, "Set the seed once, before training",
            why, edits, confidence="high",
        )  # fmt: skip

    def _in_item(self, function: Function, node: ast.Expr) -> Finding:
        edits = (function.edit("delete_statement", **function.anchor(node)),)
        why = f"`{ast.unparse(node)}` runs for every item or batch: each gets the same random numbers."
        return Finding(
            self.name, function.source.path, node.lineno, function.name, "Do not set the seed for every item or batch",
            why, edits, confidence="high",
        )  # fmt: skip


def _is_item(function: Function) -> bool:
    return function.name.rpartition(".")[2] in _ITEMS


def _trains_one_model(loop: Loop, function: Function, program: Program) -> bool:
    """Whether a loop goes on training what was made before it: a new model or optimizer inside makes it a loop of runs."""
    inner = list(ast.walk(loop))
    if not any(is_backward(node) for node in inner):
        return False
    for node in inner:
        if isinstance(node, ast.Assign) and any(is_optimizer(t, function, program) for t in node.targets):
            return False
    return True


def _varies(call: ast.Call, loops: list[Loop]) -> bool:
    """Whether what is given to the seed is set in the loops."""
    stored = {
        n.id for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return not call.args or any(
        isinstance(n, ast.Call) or (isinstance(n, ast.Name) and n.id in stored)
        for a in [*call.args, *(k.value for k in call.keywords)]
        for n in ast.walk(a)
    )


def _is_constant(call: ast.Call) -> bool:
    return bool(call.args) and all(isinstance(arg, ast.Constant) and arg.value is not None for arg in call.args)
