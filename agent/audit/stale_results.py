"""Results of an earlier run that are read back in the place of new ones.

    if os.path.exists("predictions.json"):
        return json.load(open("predictions.json"))

Silent: caches of inputs, downloads, vocabularies, and results that are appended to but not returned.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..proposers.defects.program import called_name, receiver
from ..proposers.defects.source import Function, words
from .base import AuditFinding
from .scene import Scene, names_in, texts_in

_ASKS = frozenset({"exists", "isfile", "is_file"})
_READS = frozenset(
    {"load", "loads", "open", "read_csv", "read_json", "read_text", "read_bytes", "read_parquet", "loadtxt"}
)
_RESULTS = frozenset("metric metrics result results prediction predictions pred preds score scores output outputs answers "
                     "submission evaluation".split())  # fmt: skip
_OTHER = frozenset("vocab tokenizer model checkpoint weights config download cache data dir folder path".split()) - {
    "path"
}


@dataclass(frozen=True, slots=True)
class StaleResults:
    name: str = "stale_results"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        for function in dict.fromkeys((*scene.evaluator, *scene.prediction)):
            for node in function.own:
                path = _existing(node.test) if isinstance(node, ast.If) else None
                if isinstance(node, ast.If) and path is not None and _reads_back(path, function, node):
                    yield self._finding(scene, function, node, path)

    def _finding(self, scene: Scene, function: Function, node: ast.If, path: ast.expr) -> AuditFinding:
        files = [t for p in (path, _made(path, function, node)) if p is not None for t in texts_in(p)]
        committed = any(re.search(r"\.\w{2,5}$", text) and _in_repository(text, scene) for text in files)
        risky = committed or not scene.separate or scene.target.environment.writable_tree
        why = "Old results are scored in the place of the candidate's: an edit changes nothing, or a forged file wins."
        if not risky:
            why += " The sandbox gives every step an empty folder, so this hits runs outside of it."
        return AuditFinding(
            self.name, "high" if risky else "low", function.source.path, node.lineno,
            f"`{ast.unparse(path)[:60]}` is read back when it exists" + (", and it is in the repository" if committed else ""),
            why, "Compute it anew every time, or read it from a folder that is empty when a run begins.",
        )  # fmt: skip


def _existing(test: ast.expr) -> ast.expr | None:
    """The path of `os.path.exists(path)` and `path.exists()`, alone or beside other conditions."""
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    for part in parts:
        if isinstance(part, ast.Call) and called_name(part) in _ASKS:
            owner = receiver(part)
            return part.args[0] if part.args else owner
    return None


def _reads_back(path: ast.expr, function: Function, node: ast.If) -> bool:
    """Whether a block reads results from the path and returns what is in it."""
    text, names = ast.unparse(path), names_in(path)
    inner = [n for statement in node.body for n in ast.walk(statement)]
    reads = [n for n in inner if isinstance(n, ast.Call) and called_name(n) in _READS]
    mentioned = any(text in ast.unparse(call) or names & names_in(call) for call in reads)
    returned = any(isinstance(n, ast.Return) and n.value is not None for n in inner)
    return mentioned and returned and _is_results(path, function, node)


def _is_results(path: ast.expr, function: Function, node: ast.If) -> bool:
    made = _made(path, function, node)
    said = {w for p in (path, made) if p is not None for t in _texts(p) for w in words(t.replace("/", "."))}
    return bool(said & _RESULTS) and not said & _OTHER


def _texts(node: ast.expr) -> Iterator[str]:
    yield from names_in(node)
    yield from texts_in(node)
    yield from (n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr not in ("path", "join"))


def _made(path: ast.expr, function: Function, node: ast.If) -> ast.expr | None:
    return function.last_value(path.id, node.lineno) if isinstance(path, ast.Name) else None


def _in_repository(text: str, scene: Scene) -> bool:
    return any(file == text or file.endswith(f"/{text}") for file in scene.code.sources)
