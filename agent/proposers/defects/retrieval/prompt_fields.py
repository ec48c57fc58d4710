"""A template is filled with other names than it has fields.

Why it hurts: a value whose field is missing never reaches the prompt, and nobody is told: `str.format` ignores keywords it
does not know. A field without a value is an error, on the day the line runs. Source: Tian et al., arXiv 2509.14404.

    before                                              after
        PROMPT = "Answer {question}"                        PROMPT = "Answer {question}"
        PROMPT.format(query=text)                           PROMPT.format(question=text)

Silent: templates that are not seen whole, positional fields, and calls with `**values`. Only one that is left over, beside one
that is missing, is renamed; the rest is advised.
"""

import ast
import string
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program
from ..source import Function
from .model_calls import takes_stars

MIN_LETTERS = 20
"""Shorter templates are paths and labels: several share one set of values, each using what it needs."""


@dataclass(frozen=True, slots=True)
class PromptFields:
    name: str = "prompt_fields"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if (
                    not isinstance(call.func, ast.Attribute)
                    or call.func.attr != "format"
                    or call.args
                    or takes_stars(call)
                ):
                    continue
                template = _template(call.func.value, function, program)
                if template is not None and (fields := _fields(str(template.value))) is not None:
                    yield from self._compare(call, template, fields, function)

    def _compare(
        self, call: ast.Call, template: ast.Constant, fields: set[str], function: Function
    ) -> Iterable[Finding]:
        given = {str(keyword.arg) for keyword in call.keywords}
        unused, missing = sorted(given - fields), sorted(fields - given)
        if not unused and not missing:
            return
        said = [f"`{name}` is given and the template has no such field" for name in unused]
        said += [f"the field `{name}` gets no value, which is an error" for name in missing]
        yield Finding(
            self.name, function.source.path, call.lineno, function.name, "Fill the fields that the template has",
            f"{'; '.join(said)}.", _edits(call, unused, missing, function),
            (Evidence(function.source.path, template.lineno, "the template"),), confidence="high",
        )  # fmt: skip


def _template(node: ast.expr, function: Function, program: Program) -> ast.Constant | None:
    """The one literal that `node` stands for, if it reads like text and has fields."""
    found = [value for value, _ in program.values(node, function)]
    if len(found) != 1 or not isinstance(found[0], ast.Constant) or not isinstance(found[0].value, str):
        return None
    text = found[0].value
    return (
        found[0] if "{" in text and sum(c.isalpha() or c == " " for c in text) >= MIN_LETTERS and " " in text else None
    )


def _fields(text: str) -> set[str] | None:
    """Names of the fields; None for a text that `format` does not take, or with fields by position."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        return None
    heads = {name.partition(".")[0].partition("[")[0] for name in names}
    return heads if heads and all(head.isidentifier() for head in heads) else None


def _edits(call: ast.Call, unused: list[str], missing: list[str], function: Function) -> tuple[Edit, ...]:
    if len(unused) != 1 or len(missing) != 1 or not isinstance(call.func, ast.Attribute):
        return ()
    said = [
        f"{missing[0] if keyword.arg == unused[0] else keyword.arg}={function.source.segment(keyword.value)}"
        for keyword in call.keywords
    ]
    return (function.replace(call, f"{ast.unparse(call.func)}({', '.join(said)})"),)
