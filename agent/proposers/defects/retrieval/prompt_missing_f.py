"""A prompt with `{name}` in it, sent as it stands: the `f` in front is missing, or the braces are doubled.

Why it hurts: the model reads the braces instead of the question or the documents, answers from what it knows, and the score
only looks like that of a weak model. Source: Tian et al., arXiv 2509.14404; Shao et al., ICSE 2025.

    before                                                      after
        messages = [{"role": "user",                                messages = [{"role": "user",
                     "content": "Answer {question}"}]                            "content": f"Answer {question}"}]

Silent: text that is formatted, replaced in or handed to a template, fields that are no names at that place, and braces of JSON.
"""

import ast
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function
from .model_calls import is_model_call

Text = ast.Constant | ast.JoinedStr
_FILLERS = frozenset("format format_map replace substitute safe_substitute partial".split())


@dataclass(frozen=True, slots=True)
class PromptMissingF:
    name: str = "prompt_missing_f"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not function.name:
                continue
            bound = frozenset((*function.parameters, *_names(function)))
            for literal in _sent(function):
                fields = [field for text in _texts(literal) for field in _fields(text)]
                if fields and set(fields) <= bound:
                    yield self._finding(literal, fields, function)

    def _finding(self, literal: Text, fields: list[str], function: Function) -> Finding:
        return Finding(
            self.name, function.source.path, literal.lineno, function.name, "Fill the fields of the prompt",
            f"The prompt holds `{{{fields[0]}}}` and nothing fills it, although `{fields[0]}` has a value here: the model "
            "gets the braces.",
            _edits(literal, fields, function), confidence="high",
        )  # fmt: skip


def _sent(function: Function) -> Iterator[Text]:
    """String literals that go to a model as they are: the content of a message, or an argument of the call."""
    for node in function.own:
        if isinstance(node, ast.Dict):
            keys = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            if "role" in keys and isinstance(content := keys.get("content"), ast.expr):
                yield from _as_is(content, function)
        elif isinstance(node, ast.Call) and is_model_call(node, function.source):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from _as_is(argument, function)


def _as_is(node: ast.expr, function: Function) -> Iterator[Text]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        if not _is_filled(node, function):
            yield node
    elif isinstance(node, ast.Name):
        values = [value for _, value in function.assignments(node.id)]
        if len(values) == 1 and isinstance(values[0], Text) and not _is_used_as_template(node.id, function):
            yield from _as_is(values[0], function)


def _texts(literal: Text) -> list[str]:
    """What the model gets to read: all of a plain literal, and what stands between the values of an f-string."""
    parts = literal.values if isinstance(literal, ast.JoinedStr) else [literal]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def _is_filled(literal: Text, function: Function) -> bool:
    """Whether the dictionary or list it stands in goes through something that fills templates."""
    for above in function.source.ancestors(literal):
        if isinstance(above, ast.Call) and ("emplate" in ast.unparse(above.func) or "rompt" in ast.unparse(above.func)):
            return True
        if isinstance(above, ast.stmt):
            return False
    return False


def _is_used_as_template(name: str, function: Function) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in _FILLERS and ast.unparse(node.value) == name
        for node in function.own
    )


def _names(function: Function) -> Iterator[str]:
    for node in function.own:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _fields(text: str) -> list[str]:
    """Names in braces, if every brace of the text belongs to one: JSON has others."""
    try:
        parsed = [
            (name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(text) if name is not None
        ]
    except ValueError:
        return []
    plain = all(name.isidentifier() and not spec and not conversion for name, spec, conversion in parsed)
    return [name for name, _, _ in parsed] if plain and "{{" not in text else []


def _edits(literal: Text, fields: list[str], function: Function) -> tuple[Edit, ...]:
    """The same literal with an f in front, or with single braces; none for one made of several, or with another prefix."""
    written = function.source.segment(literal)
    plain = written.lstrip("fF")
    if not plain.startswith(('"', "'")) or ("\n" in written and not plain.startswith(('"""', "'''"))):
        return ()
    if ast.unparse(ast.parse(written, mode="eval")) != ast.unparse(literal):
        return ()
    if isinstance(literal, ast.Constant):
        return (function.replace(literal, f"f{written}"),) if plain == written else ()
    for field in fields:
        written = written.replace(f"{{{{{field}}}}}", f"{{{field}}}")
    return (function.replace(literal, written),) if written != function.source.segment(literal) else ()
