"""A call that gives a changed copy, whose result is thrown away.

Why it hurts: the line reads as if the data were cleaned, sorted, moved or shuffled, and they stay as they were.
Source: rule set PD of ruff; dslinter; Islam et al. 2019 (misread interfaces).

    before                                  after
    df.dropna()                             df = df.dropna()
    np.append(scores, score)                scores = np.append(scores, score)
    dataset.shuffle(seed=1)                 dataset = dataset.shuffle(seed=1)

Not flagged: `inplace=True` or an `out=`, methods the program defines itself, calls that are timed, expected to fail or
made to see whether they work.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function, words

_FRAME = frozenset("dropna fillna drop_duplicates reset_index sort_values sort_index astype reindex set_index".split())
_FRAME_IF_KEYWORD = {"drop": {"columns", "axis", "labels"}, "rename": {"columns"}, "replace": {"regex", "to_replace"}}
_DATASET = frozenset("map filter shuffle select rename_column remove_columns".split())
_DATASET_WORDS = frozenset({"dataset", "datasets", "ds"})
_TENSOR = frozenset("unsqueeze squeeze permute masked_fill index_fill clamp detach".split())
_NUMPY = frozenset(f"numpy.{name}" for name in (
    "append concatenate vstack hstack sort clip expand_dims squeeze reshape transpose delete insert nan_to_num flip roll"
).split())  # fmt: skip
_TRIED = ("raises", "warns", "time", "profile", "record", "suppress", "autocast", "trace")


@dataclass(frozen=True, slots=True)
class DroppedResult:
    name: str = "dropped_result"

    def detect(self, program: Program) -> Iterable[Finding]:
        defined = {function.name.rpartition(".")[2] for function in program.functions}
        for function in program.functions:
            for node in function.own:
                if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
                    continue
                call = node.value
                target = _changed(call, function)
                if target is None or called_name(call) in defined or _is_tried(node, function):
                    continue
                text = function.source.segment(target)
                code = f"{text} = {function.source.segment(call)}"
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    f"Keep what {called_name(call)} returns"[:72],
                    f"`{ast.unparse(call)[:80]}` leaves `{text}` as it is and returns the changed copy, which nobody keeps.",
                    (function.rewrite(node, code),),
                    confidence="high",
                )


def _changed(call: ast.Call, function: Function) -> ast.expr | None:
    """What the author of the line wanted changed; None for a call that works in place, or whose effect is not known."""
    given = {keyword.arg for keyword in call.keywords}
    if given & {None, "inplace", "out", "cache_file_name"}:
        return None
    if function.source.full(call.func) in _NUMPY and call.args and isinstance(call.args[0], ast.Name | ast.Attribute):
        return call.args[0] if len(call.args) > 1 or called_name(call) == "sort" else None
    owner, name = receiver(call), called_name(call)
    if not isinstance(owner, ast.Name | ast.Attribute) or function.source.full(owner) in _modules(function):
        return None
    text = ast.unparse(owner)
    if text in ("self", "super()", "cls"):
        return None
    packages = {full.split(".")[0] for full in function.source.aliases.values()}
    if name in _FRAME or given & _FRAME_IF_KEYWORD.get(name, set()):
        return owner
    if name in _DATASET and "datasets" in packages and _DATASET_WORDS & set(words(text)):
        return owner
    if name in _TENSOR and "torch" in packages and (call.args or name in ("detach", "squeeze")):
        return owner
    return None


def _modules(function: Function) -> set[str]:
    return set(function.source.aliases.values())


def _is_tried(node: ast.stmt, function: Function) -> bool:
    """Whether the call is there to be timed, or to see whether it fails."""
    below: ast.AST = node
    for above in function.source.ancestors(node):
        if isinstance(above, ast.Try) and below in above.body and len(above.body) == 1:
            return True
        if isinstance(above, ast.With) and any(m in ast.unparse(i).lower() for i in above.items for m in _TRIED):
            return True
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            break
        below = above
    return "benchmark" in function.words or "bench" in function.words
