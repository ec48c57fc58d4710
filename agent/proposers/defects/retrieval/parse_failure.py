"""A reply that does not parse is taken for an empty one.

Why it hurts: models wrap JSON in a fence or a sentence now and then. Each such reply becomes "nothing found", without a
word, so memories, facts and answers go missing and the metric only looks a little worse. Source: arXiv 2604.01007; Shao
et al., ICSE 2025.

    before                                          after
        try:                                            try:
            return json.loads(reply)                        return json.loads(reply[reply.find('{'):reply.rfind('}') + 1],
        except json.JSONDecodeError:                                          strict=False)
            return {}                                   except json.JSONDecodeError:
                                                            return {}

Silent: handlers that log, count, retry or raise; text that is no model's reply; code that parses what stands between the
braces. Code that takes fences off itself, or expects a list, is only advised. Broad handlers that return a default are `silent_except`'s.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, keyword_of
from ..source import Function
from .model_calls import parsed_replies, strings

_PARSING = frozenset({"json.JSONDecodeError", "json.decoder.JSONDecodeError", "ValueError", "KeyError", "TypeError",
                      "IndexError", "AttributeError"})  # fmt: skip
_BROAD = frozenset({"Exception", "BaseException", ""})


@dataclass(frozen=True, slots=True)
class ParseFailure:
    name: str = "parse_failure_as_empty"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for parse in (
                *(call for call, _ in parsed_replies(function, program, handed=True)),
                *_tool_arguments(function),
            ):
                if isinstance(function.source.parents[parse], ast.Expr):
                    continue  # only whether it parses is asked, as of a reply that still streams in
                handler = _handler(parse, function)
                if handler is not None and not _is_taken_out(parse) and (said := _swallowed(handler)):
                    yield Finding(
                        self.name, function.source.path, parse.lineno, function.name,
                        "Take the JSON out of the reply before giving it up",
                        f"A reply that does not parse ends in `{said}` in line {handler.body[0].lineno}, as if the model had "
                        "said nothing; a fence around the JSON, or a line break in a string, is enough for that.",
                        _edits(parse, function), effect="score",
                    )  # fmt: skip


def _tool_arguments(function: Function) -> Iterator[ast.Call]:
    """Each `json.loads(call.function.arguments)`: what a model wants a tool to be called with."""
    for call in function.calls:
        if function.source.full(call.func) == "json.loads" and call.args and _is_arguments(call.args[0]):
            yield call


def _is_arguments(node: ast.expr) -> bool:
    return ast.unparse(node).endswith((".function.arguments", "['function']['arguments']"))


def _is_taken_out(parse: ast.Call) -> bool:
    """Whether only what stands between braces is parsed: `reply[reply.find("{") : ...]`, or line breaks are let pass."""
    cut = isinstance(parse.args[0], ast.Subscript) and isinstance(parse.args[0].slice, ast.Slice)
    return cut or keyword_of(parse, "strict") is not None


def _handler(parse: ast.Call, function: Function) -> ast.ExceptHandler | None:
    """The handler that catches a failure of this call, if it is the only one."""
    for above in function.source.ancestors(parse):
        if isinstance(above, ast.Try) and any(parse in ast.walk(s) for s in above.body):
            return above.handlers[0] if len(above.handlers) == 1 else None
        if above is function.node:
            return None
    return None


def _swallowed(handler: ast.ExceptHandler) -> str:
    """What stands for the failure, as written; empty when somebody gets to see it, or when it is another's to report."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(kind) if kind is not None else "" for kind in kinds}
    if len(handler.body) != 1:
        return ""
    (statement,) = handler.body
    if names & _BROAD:
        return ast.unparse(statement) if isinstance(statement, ast.Continue | ast.Pass) else ""
    if not names & _PARSING or (handler.name is not None and _is_used(handler)):
        return ""
    match statement:
        case ast.Continue() | ast.Pass():
            return ast.unparse(statement)
        case ast.Return(value=value) | ast.Assign(value=value) if value is not None and _is_empty(value):
            return ast.unparse(statement)
    return ""


def _is_used(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(n, ast.Name) and n.id == handler.name for s in handler.body for n in ast.walk(s))


def _is_empty(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(_is_empty(one) for one in elements)
        case ast.Dict(values=values):
            return all(_is_empty(one) for one in values)
        case ast.Constant(value="" | None):
            return True
    return False


def _edits(parse: ast.Call, function: Function) -> tuple[Edit, ...]:
    """The braces and what is between them, where an object is expected and nothing takes fences off yet."""
    text = parse.args[0]
    if _is_arguments(text) and not parse.keywords:
        return (function.replace(parse, f"json.loads({ast.unparse(text)}, strict=False)"),)
    if len(parse.args) != 1 or parse.keywords or not isinstance(text, ast.Name | ast.Attribute):
        return ()
    if any("```" in said for said in strings(function.node)) or not any(_keys(parse, function)):
        return ()
    name = ast.unparse(text)
    inside = f"{name}[{name}.find('{{'):{name}.rfind('}}') + 1]"
    return (function.replace(parse, f"json.loads({inside}, strict=False)"),)


def _keys(parse: ast.Call, function: Function) -> Iterator[bool]:
    """Uses of the parsed value, or of what stands for it, as an object with keys."""
    source = function.source
    statement = source.statement(parse)
    names = {ast.unparse(t) for t in statement.targets} if isinstance(statement, ast.Assign) else set()
    for node in function.own:
        if isinstance(node, ast.Return | ast.Assign) and isinstance(node.value, ast.Dict):
            yield isinstance(node, ast.Return) or bool({ast.unparse(t) for t in node.targets} & names)
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            yield node.value is parse or ast.unparse(node.value) in names
        if isinstance(node, ast.Attribute) and node.attr in ("get", "items"):
            yield node.value is parse or ast.unparse(node.value) in names
