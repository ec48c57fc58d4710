"""JSON is cut after so many characters on its way into a prompt.

Why it hurts: the cut falls in the middle of a record: the model reads half a value as a whole one, and whatever came later is gone
without a word, the same records every time. Source: arXiv 2604.01007 (context cut in mid-JSON).

    before                                                  after
        f"Memories: {json.dumps(memories)[:2000]}"              f"Memories: {json.dumps(memories[:20])}"

Silent: what is logged, printed, raised or only shown as a preview. Advised, for how many records fit is not for a reader to say.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, is_head, words

_SHOWN = frozenset(
    "debug info warning warn error exception log print write echo critical add_event set_attribute trace".split()
)
_PREVIEW = frozenset(
    "preview snippet short summary log debug display trunc truncated repr message_preview error err label hash".split()
)
_FOR_MODELS = frozenset("prompt context content messages system user instruction instructions".split())


@dataclass(frozen=True, slots=True)
class JsonCut:
    name: str = "json_cut"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if (
                    isinstance(node, ast.Subscript)
                    and is_head(node)
                    and _is_json(node.value, function)
                    and _is_for_a_model(node, function)
                ):
                    yield Finding(
                        self.name, function.source.path, node.lineno, function.name, "Cut the list of records, not their text",
                        f"`{ast.unparse(node)[:80]}` ends in the middle of a record, and the model is not told.", (),
                    )  # fmt: skip


def _is_json(node: ast.expr, function: Function) -> bool:
    if isinstance(node, ast.Name):
        value = function.last_value(node.id, node.lineno)
        return isinstance(value, ast.Call) and function.source.full(value.func) == "json.dumps"
    return isinstance(node, ast.Call) and function.source.full(node.func) == "json.dumps"


def _is_for_a_model(node: ast.expr, function: Function) -> bool:
    """Whether the text becomes part of a prompt: of a name that says so, or of a message's content."""
    for above in function.source.ancestors(node):
        if isinstance(above, ast.Call) and called_name(above) in _SHOWN:
            return False
        if isinstance(above, ast.Raise | ast.Assert):
            return False
        if isinstance(above, ast.Dict):
            keys = {key.value for key in above.keys if isinstance(key, ast.Constant)}
            return "role" in keys
        if isinstance(above, ast.Assign | ast.AugAssign):
            target = above.targets[0] if isinstance(above, ast.Assign) else above.target
            said = set(words(ast.unparse(target)))
            return bool(said & _FOR_MODELS) and not said & _PREVIEW
        if isinstance(above, ast.keyword) and above.arg and _FOR_MODELS & set(words(above.arg)):
            return True
        if isinstance(above, ast.Return):
            return "prompt" in function.words
        if isinstance(above, ast.stmt):
            return False
    return False
