"""Predictions that run in the evaluator: it unpickles them, imports them, or evaluates their text.

    predictions = pickle.load(open(args.predictions, "rb"))
    np.load(path, allow_pickle=True)
    sys.path.insert(0, args.predictions)

Silent: loaders of plain data, `torch.load` with `weights_only=True`.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..proposers.defects.program import called_name, keyword_of
from ..proposers.defects.source import Source
from .base import AuditFinding
from .scene import Scene

_UNPICKLES = frozenset({"pickle.load", "pickle.loads", "cPickle.load", "dill.load", "dill.loads", "cloudpickle.load",
                        "cloudpickle.loads", "joblib.load", "pandas.read_pickle", "shelve.open", "marshal.load",
                        "marshal.loads", "yaml.unsafe_load", "yaml.full_load"})  # fmt: skip
_RUNS = frozenset({"eval", "exec", "builtins.eval", "builtins.exec", "importlib.import_module", "runpy.run_path",
                   "importlib.util.spec_from_file_location", "__import__"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnsafeLoad:
    name: str = "predictions_run_as_code"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        if not scene.separate:
            return  # the candidate's code is in that process already
        for function in scene.evaluator:
            for call in function.calls:
                if how := _how(call, function.source):
                    yield AuditFinding(
                        self.name, "high", function.source.path, call.lineno,
                        f"The evaluator calls `{how}`, which can run code that stands in the data",
                        "Predictions are written by the candidate: a file made for it takes the evaluator over and writes "
                        "any metric.",
                        "Read plain data: JSON, CSV, or npz with allow_pickle=False.",
                    )  # fmt: skip


def _how(call: ast.Call, source: Source) -> str:
    """What is called, as it is written, when it can run what it reads; empty when it cannot."""
    full = source.full(call.func)
    if full in _UNPICKLES or (full in _RUNS and not _is_constant(call)):
        return full
    if full in ("numpy.load", "np.load") and _is(keyword_of(call, "allow_pickle"), True):
        return "numpy.load(allow_pickle=True)"
    if full == "torch.load" and _is(keyword_of(call, "weights_only"), False):
        return "torch.load(weights_only=False)"
    if full == "yaml.load" and "Safe" not in ast.unparse(call):
        return "yaml.load"
    if full in ("sys.path.insert", "sys.path.append") and _from_outside(call):
        return f"{called_name(call)} of `{ast.unparse(call.args[-1])[:40]}` on sys.path"
    return ""


def _is_constant(call: ast.Call) -> bool:
    return all(isinstance(argument, ast.Constant) for argument in call.args)


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _from_outside(call: ast.Call) -> bool:
    """Whether the folder comes from the command line: `args.predictions`, `sys.argv[1]`."""
    text = ast.unparse(call.args[-1]) if call.args else ""
    return "pred" in text.lower() or "argv" in text
