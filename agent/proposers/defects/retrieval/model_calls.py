"""Calls of language models, and where the text of their reply goes."""

import ast
from collections.abc import Iterator

from ..program import Program, argument_of, called_name
from ..source import Function, Source, words

_SDK = (
    "chat.completions.create",
    "chat.completions.parse",
    "responses.create",
    "messages.create",
    "models.generate_content",
)
_FULL = frozenset({"litellm.completion", "litellm.acompletion", "ollama.chat", "ollama.generate", "openai.ChatCompletion.create",
                   "openai.ChatCompletion.acreate"})  # fmt: skip
_METHODS = frozenset(
    "invoke ainvoke complete acomplete chat achat generate agenerate predict apredict generate_response "
    "chat_completion completion acompletion".split()
)
_RECEIVERS = frozenset("llm chat_llm language_model chat_model llm_client".split())
_TEXT_METHODS = frozenset(
    "strip lstrip rstrip lower upper replace removeprefix removesuffix split json model_dump get".split()
)
Origin = tuple[ast.Call, Function]
MAX_CALLERS = 10


def is_client_call(call: ast.Call, source: Source) -> bool:
    """Whether a call asks a language model through one of the usual clients."""
    return _dotted(call.func).endswith(_SDK) or source.full(call.func) in _FULL


def is_model_call(call: ast.Call, source: Source) -> bool:
    """Whether a call asks a language model: through a client, or through a receiver called `llm`."""
    if is_client_call(call, source):
        return True
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _METHODS:
        return False
    return _dotted(call.func.value).rpartition(".")[2].lower() in _RECEIVERS


def origin(node: ast.expr, function: Function, program: Program, depth: int = 8) -> Origin | None:
    """The call of a language model whose reply `node` is a part of, and the function it stands in; None if none is seen."""
    if depth == 0:
        return None
    match node:
        case ast.Await(value=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
            return origin(inner, function, program, depth) if not _is_self(inner) else None
        case ast.BoolOp(values=[first, *_]):
            return origin(first, function, program, depth)
        case ast.Name(id=name):
            value = function.last_value(name, node.lineno)
            return origin(value, function, program, depth - 1) if value is not None else None
        case ast.Call():
            return _of_call(node, function, program, depth)
    return None


def _of_call(call: ast.Call, function: Function, program: Program, depth: int) -> Origin | None:
    if is_client_call(call, function.source):
        return call, function
    if isinstance(call.func, ast.Attribute) and call.func.attr in _TEXT_METHODS:
        return origin(call.func.value, function, program, depth)
    for callee in program.callees(call, function):
        for value in callee.returns:
            if callee is not function and (found := origin(value, callee, program, depth - 1)):
                return found
    return (call, function) if is_model_call(call, function.source) else None


def parsed_replies(function: Function, program: Program, *, handed: bool = False) -> Iterator[tuple[ast.Call, Origin]]:
    """Each parsing of a reply as JSON in a function, with the call that the reply is of; `handed`: of parameters too."""
    for call in function.calls:
        if call.args and _parses_json(call, function.source):
            found = origin(call.args[0], function, program)
            if found is None and handed:
                found = handed_reply(call.args[0], function, program)
            if found is not None:
                yield call, found


def handed_reply(node: ast.expr, function: Function, program: Program) -> Origin | None:
    """Like `origin`, for a parameter that a caller hands a reply to."""
    root = node
    while isinstance(root, ast.Call | ast.Attribute | ast.Subscript):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name) or root.id not in function.parameters or _is_self(root):
        return None
    for caller, call in program.callers(function)[:MAX_CALLERS]:
        argument = argument_of(call, function, root.id)
        if argument is not None and (found := origin(argument, caller, program)):
            return found
    return None


def _parses_json(call: ast.Call, source: Source) -> bool:
    """`json.loads`, `json_repair.loads`, and functions that say so: `extract_json`, `parse_json_response`."""
    if source.full(call.func) in ("json.loads", "json_repair.loads", "json_repair.repair_json", "json5.loads"):
        return True
    said = set(words(called_name(call)))
    return "json" in said and bool(said & {"extract", "parse", "get", "load", "loads", "read", "clean", "repair"})


def strings(node: ast.AST) -> Iterator[str]:
    """Every string literal inside a node, those in f-strings included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def takes_stars(call: ast.Call) -> bool:
    """Whether `**options` may hold any keyword."""
    return any(keyword.arg is None for keyword in call.keywords)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    elif isinstance(node, ast.Call):
        parts.append(f"{called_name(node)}()")
    return ".".join(reversed(parts))


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
