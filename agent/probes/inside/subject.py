"""The model that a recipe builds, its inputs and targets, and one rehearsal of its training loop."""

import ast
import contextlib
import copy
import importlib
import os
import sys
import types
from typing import Any

from . import batches, rehearsal
from .bound import called
from .swaps import Swap, mask_name, masked, swapped

MOST_PARAMETERS = 50_000_000
CHEAP = ("torch.device", "torch.cuda.is_available", "nn.", "torch.nn.", "logging.getLogger", "re.compile", "namedtuple",
         "collections.namedtuple", "TypeVar", "Path", "pathlib.Path", "os.path.")  # fmt: skip


class CannotTell(Exception):
    """Why a probe has no answer."""


class Subject:
    """Made once a process; what is costly is made when first asked for, and kept."""

    def __init__(self, recipe: dict[str, Any], work: str) -> None:
        try:
            self.torch = importlib.import_module("torch")
        except ImportError as error:
            raise CannotTell(f"the target's environment has no torch ({error})") from None
        if not hasattr(self.torch, "nn"):
            raise CannotTell("the target's environment has no torch")
        self.recipe = recipe
        self.work = work
        self.tape = rehearsal.Tape(self.torch)
        self.torch.set_num_threads(1)
        self._spaces: dict[str, dict[str, Any]] = {}
        self._sizes: dict[str, int] = {}
        self._inputs: dict[tuple[str, int], tuple[Any, ...]] = {}
        self._rehearsed: dict[str, dict[str, Any]] = {}

    # names of the target's files

    def space(self, path: str) -> dict[str, Any]:
        """The names that a file of the target binds by definitions, imports and literals; nothing else of it runs."""
        if path not in self._spaces:
            full = os.path.join(self.work, path)
            with open(full, "rb") as file:
                tree = ast.parse(file.read(), path)
            parts = [part for part in path[:-3].split("/") if part not in ("src", "__init__")]
            name = ".".join(parts)
            package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
            module = types.ModuleType(name or "target")
            module.__dict__.update(__file__=full, __package__=package)
            if package:
                importlib.import_module(package)
            for node in tree.body:
                if _defines(node):
                    _execute(node, module.__dict__, full)
            sys.modules.setdefault(name, module)
            self._spaces[path] = module.__dict__
        return self._spaces[path]

    def evaluate(self, text: str, **names: Any) -> Any:
        """What an expression of the recipe gives; `_of(path, name)` in it is a name of a file, `_args` a namespace of options."""
        return eval(
            text,
            {
                "_of": lambda path, name: self.space(path)[name],
                "_args": types.SimpleNamespace,
                "torch": self.torch,
                **names,
            },
        )

    # the model

    def fresh(self, text: str = "", seed: int = 0) -> Any:
        """A newly built model on the CPU, the same for the same seed."""
        text = text or self.recipe["model"]
        if not text:
            raise CannotTell(self.recipe["why"])
        self._check_size(text)
        self.torch.manual_seed(seed)
        model = self.evaluate(text)
        if isinstance(model, tuple):
            model = model[0]
        if not isinstance(model, self.torch.nn.Module):
            raise CannotTell(f"{type(model).__name__} is no torch module")
        self._sizes[text] = sum(p.numel() for p in model.parameters())
        return model.to("cpu").float()

    def _check_size(self, text: str) -> None:
        """Raises: CannotTell for a model too large for seconds; found out without memory for its weights, where it can be."""
        if text not in self._sizes:
            self._sizes[text] = 0
            with contextlib.suppress(Exception), self.torch.device("meta"):
                self._sizes[text] = sum(p.numel() for p in self.evaluate(text).parameters())
        if self._sizes[text] > MOST_PARAMETERS:
            raise CannotTell(f"{self._sizes[text] / 1e6:.0f} million parameters are too many for seconds")

    def inputs(self, text: str = "", count: int = 4) -> tuple[Any, ...]:
        """Random arguments of the model's forward that it takes, `count` examples each; always the same ones."""
        text = text or self.recipe["model"]
        if (text, count) not in self._inputs:
            self._inputs[text, count] = batches.inputs_of(self.fresh(text), self.torch, self.recipe["shapes"], count)
        return tuple(copy.deepcopy(one) for one in self._inputs[text, count])

    def output(self, model: Any, inputs: tuple[Any, ...], seed: int = 1) -> Any:
        """The first tensor of what the model answers, in whatever it is wrapped."""
        self.torch.manual_seed(seed)
        return batches.tensor_in(model(*inputs), self.torch)

    def targets(self, output: Any, inputs: tuple[Any, ...], kind: str = "") -> Any:
        return batches.targets_of(kind or self.recipe["loss"], output, inputs, self.torch)

    def loss(self, output: Any, targets: Any, inputs: tuple[Any, ...], kind: str = "") -> Any:
        kind = kind or self.recipe["loss"]
        scores = batches.by_class(output, inputs) if kind in batches.CLASSES else output
        return batches.loss_of(kind, scores, targets, self.torch)

    def classes(self, output: Any, inputs: tuple[Any, ...]) -> int:
        return int(batches.by_class(output, inputs).shape[-1])

    def holder(self, texts: list[str], owner: str) -> tuple[str, Any, Any]:
        """Of the expressions the first whose model has a part of that class: the expression, the model, the part."""
        error = CannotTell(f"{owner} is in no model that was built")
        for text in texts:
            try:
                model = self.fresh(text)
            except Exception as failed:
                why = str(failed) if isinstance(failed, CannotTell) else f"{type(failed).__name__}: {failed}"
                error = CannotTell(f"the model could not be built: {why}")
                continue
            for module in model.modules():
                if any(base.__name__ == owner for base in type(module).__mro__):
                    return text, model, module
        raise error

    def without_dropout(self, model: Any) -> Any:
        """The model, with every dropout layer set to 0."""
        for module in model.modules():
            if isinstance(getattr(module, "p", None), float) and "Dropout" in type(module).__name__:
                module.p = 0.0
        return model

    def steady(self, model: Any) -> Any:
        """A copy without dropout, in evaluation mode."""
        return self.without_dropout(copy.deepcopy(model)).eval()

    # another value of one thing

    def swap(self, owner: type, method: str, name: str, number: int) -> Swap:
        return Swap(owner, method, name, number)

    def swapped(self, swap: Swap | None) -> Any:
        return swapped(swap, self.torch)

    def mask_name(self, model: Any) -> str:
        return mask_name(model)

    def masked(self, model: Any, inputs: tuple[Any, ...], name: str, mask: Any) -> Any:
        return batches.tensor_in(masked(model, inputs, name, mask), self.torch)

    # the target's own code

    def examples(self, output: Any, inputs: tuple[Any, ...]) -> tuple[Any, Any]:
        """Inputs, and the targets that the model itself would answer, in the shape a loss is given."""
        return inputs[0], batches.answered(self.recipe["loss"], output, inputs, self.torch)

    def wrong(self, targets: Any, output: Any) -> Any:
        """Other targets in place of these."""
        if not targets.is_floating_point():
            return (targets + 1) % max(2, output.shape[1] if output.dim() > 1 else 2)
        return 1 - targets

    def call(self, code: dict[str, Any], model: Any, examples: tuple[Any, ...], batch_size: int = 4) -> Any:
        """What a function of the target returns for a model and (inputs, targets)."""
        self.torch.manual_seed(0)
        return called(self, code, model, (*examples, batch_size))

    def trained(self, code: dict[str, Any], other_labels: bool) -> dict[str, Any]:
        """Weights after a few steps of the training loop, with its labels or with others."""
        return rehearsal.trained(self, code, other_labels)

    def rehearse(self, code: dict[str, Any]) -> dict[str, Any]:
        """What happened in three batches of the training loop; run once for each loop."""
        key = repr(sorted(code.items()))
        if key not in self._rehearsed:
            self._rehearsed[key] = rehearsal.rehearse(self, code)
        return self._rehearsed[key]


def _is_cheap(call: ast.Call) -> bool:
    """Whether a call only makes something small, such as a device or a layer without parameters."""
    return ast.unparse(call.func).startswith(CHEAP)


def _execute(node: ast.stmt, names: dict[str, Any], path: str) -> None:
    """Runs one statement; a value that needs what was left out is left out too."""
    try:
        exec(compile(ast.Module([node], []), path, "exec"), names)
    except Exception:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            raise


def _defines(node: ast.stmt) -> bool:
    """Whether a statement at the top of a file only binds names: a script's own work is not to start."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        value = node.value
        calls = [n for n in ast.walk(value) if isinstance(n, ast.Call | ast.Await)] if value is not None else []
        return value is not None and all(isinstance(n, ast.Call) and _is_cheap(n) for n in calls)
    if isinstance(node, ast.Try):
        return all(isinstance(inner, (ast.Import, ast.ImportFrom)) for inner in node.body)
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
