"""Something a run could notice changes: not only comments, blank space, or text that documents."""

import ast

from ...evals.trial import Verdict
from ...targets.target import Target
from ..readable import UnreadableError, parse
from .base import Change
from .config_values import CONFIG_SUFFIXES, load_config
from .literals_moved import is_prompt, without_docstrings


class Effect:
    name = "effect"

    def judge(self, target: Target, change: Change) -> Verdict:
        for file in sorted(change.after):
            if not same_meaning(file, change.before.get(file), change.after[file]):
                return Verdict(self.name, True, f"{file} means something else")
        return Verdict(
            self.name, False, "only comments, blank space or documentation change: there is nothing to measure"
        )


def same_meaning(file: str, before: bytes | None, after: bytes | None) -> bool:
    """Whether a run could not tell the two files apart; a file that cannot be read counts as different."""
    if before == after:
        return True
    if before is None or after is None:
        return False
    try:
        if file.endswith(".py"):
            return _shape(before) == _shape(after)
        if file.endswith(CONFIG_SUFFIXES):
            return bool(load_config(file, before) == load_config(file, after))
    except (UnreadableError, RecursionError):
        return False
    return before.split() == after.split()


def _shape(data: bytes) -> tuple[str, list[str]]:
    """The tree without docstrings, and the docstrings that read like prompts: some libraries send those to a model."""
    tree = parse(data)[1]
    prompts = [d for node in ast.walk(tree) if (d := _docstring(node)) and is_prompt(d)]
    return ast.dump(without_docstrings(tree)), prompts


def _docstring(node: ast.AST) -> str:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(node) or ""
    return ""
