"""The middle of a list that was never sorted is called its median.

Why it hurts: it is the value that happens to stand in the middle: of losses in order of time, of scores in order of
files. Source: seen in public fix histories of metrics.

    before                                      after
    median = times[len(times) // 2]             median = sorted(times)[len(times) // 2]

Not flagged: lists that are sorted anywhere in the function, and middles that are not called a median.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words

_MEDIAN = frozenset({"median", "med", "medians"})
_SORTS = frozenset({"sort", "sorted", "argsort", "nlargest", "nsmallest", "sort_values", "topk"})


@dataclass(frozen=True, slots=True)
class UnsortedMedian:
    name: str = "unsorted_median"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "med" not in function.source.text or any(called_name(call) in _SORTS for call in function.calls):
                continue
            for node in function.own:
                match node:
                    case ast.Subscript(value=ast.Name(name), slice=ast.BinOp(left=ast.Call(), op=ast.FloorDiv()) as at):
                        pass
                    case _:
                        continue
                if ast.unparse(at) != f"len({name}) // 2" or not _is_called_median(node, function):
                    continue
                if "sort" in name.lower() or (name in function.parameters and "sorted" in function.name):
                    continue
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    f"Sort {name} before taking its median"[:72],
                    f"`{ast.unparse(node)}` is the value in the middle of `{name}` as it came; nothing sorts it.",
                    (function.replace(node, f"sorted({name})[{function.source.segment(at)}]"),),
                    confidence="high",
                    safe=True,
                )


def _is_called_median(node: ast.Subscript, function: Function) -> bool:
    parent = function.source.statement(node)
    if isinstance(parent, ast.Return):
        return bool(_MEDIAN & function.words)
    targets = parent.targets if isinstance(parent, ast.Assign) and parent.value is node else []
    return any(_MEDIAN & set(words(ast.unparse(target))) for target in targets)
