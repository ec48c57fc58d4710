"""What kind of edit a change is, proved on the syntax tree rather than believed."""

import ast
from collections.abc import Mapping

from ..prompt_texts import prompt_file
from ..proposal import Kind
from ..readable import UnreadableError, parse
from .config_values import CONFIG_SUFFIXES, load_config
from .literals_moved import Moved, literals_of_code, literals_of_config, moved


def prove_kind(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None], claimed: Kind) -> Kind:
    """The kind that may be reported.

    Only literals moved: `hyperparameter`, or `prompt` when every one of them is a prompt. Structure changed: as
    claimed, but what claims to be tuning or wording and is not becomes `architecture` if a model class changed, else
    `bug_fix`.
    """
    found = {_moved(file, before.get(file), after.get(file)) for file in {*before, *after}} - {"nothing"}
    if not found:
        return claimed
    if "structure" not in found:
        return "prompt" if found == {"prompts"} else "hyperparameter"
    if claimed == "hyperparameter" or (claimed == "prompt" and not _wording_changed(before, after)):
        return "architecture" if _model_changed(before, after) else "bug_fix"
    return claimed


def _moved(file: str, before: bytes | None, after: bytes | None) -> Moved:
    if before == after:
        return "nothing"
    if before is None or after is None:
        return "structure"
    try:
        if file.endswith(".py"):
            return moved(literals_of_code(parse(before)[1]), literals_of_code(parse(after)[1]))
        if file.endswith(CONFIG_SUFFIXES):
            old, new = load_config(file, before), load_config(file, after)
            return moved(literals_of_config(old), literals_of_config(new))
    except (UnreadableError, RecursionError):
        return "structure"
    return "prompts" if prompt_file(file, before) or prompt_file(file, after) else "structure"


def _wording_changed(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]) -> bool:
    """Whether some string or prompt file reads differently, whatever else changed with it."""
    return any(
        _strings(file, before.get(file)) != _strings(file, after.get(file)) for file in {*before, *after}
    )  # fmt: skip


def _strings(file: str, data: bytes | None) -> list[object]:
    if data is None:
        return []
    if not file.endswith(".py"):
        return [data]
    try:
        return [value for _, value in literals_of_code(parse(data)[1]).values if isinstance(value, str)]
    except (UnreadableError, RecursionError):
        return [data]


def _model_changed(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]) -> bool:
    return any(
        _models(before.get(file)) != _models(after.get(file)) for file in {*before, *after} if file.endswith(".py")
    )


def _models(data: bytes | None) -> dict[str, str]:
    """Model classes of a file, by name: those with a `forward` or derived from something called a module."""
    if data is None:
        return {}
    try:
        tree = parse(data)[1]
    except UnreadableError:
        return {}
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {node.name: ast.dump(node) for node in classes if _is_model(node)}


def _is_model(node: ast.ClassDef) -> bool:
    methods = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return bool(methods & {"forward", "__call__"}) or any(ast.unparse(base).endswith("Module") for base in node.bases)
