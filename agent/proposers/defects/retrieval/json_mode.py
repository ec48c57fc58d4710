"""A reply that is parsed as JSON, asked for without the provider's JSON mode.

Why it hurts: one reply in some has a fence, a sentence in front or a trailing comma; it does not parse, and what it held is
lost. Asking with `response_format` ends that. Source: arXiv 2604.01007 (the largest single gain found in an agent's memory).

    reply = client.chat.completions.create(          reply = client.chat.completions.create(
        model=name, messages=messages)          ->       model=name, messages=messages,
    facts = json.loads(                                  response_format={'type': 'json_object'})
        reply.choices[0].message.content)

Silent: calls with `response_format`, `tools` or `**options`, clients without that argument, prompts that do not say JSON
(the mode is refused then). Only advised: a JSON list, for the mode gives objects, and a function that asks for others too.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program, argument_of
from ..source import Function
from .model_calls import Origin, parsed_replies, strings, takes_stars

KEYWORD = "response_format"
MODE = "{'type': 'json_object'}"
_TAKE_IT = ("chat.completions.create", "litellm.completion", "litellm.acompletion")
_OTHER_WAYS = frozenset({KEYWORD, "tools", "functions", "extra_body", "stream"})


@dataclass(frozen=True, slots=True)
class JsonMode:
    name: str = "json_mode_missing"

    def detect(self, program: Program) -> Iterable[Finding]:
        seen: set[ast.Call] = set()
        for function in program.functions:
            for parse, found in parsed_replies(function, program):
                asked = _asked(parse, function, found, program)
                if asked is not None and asked[0] not in seen and _says_json(function, asked[1]):
                    seen.add(asked[0])
                    yield self._finding(parse, function, asked)

    def _finding(self, parse: ast.Call, function: Function, asked: Origin) -> Finding:
        call, home = asked
        why = ""
        if _is_list(parse, function):
            why = "The mode gives objects, so the list must be asked for under a key. "
        elif home is not function:
            why = f"Others may call {home.name} for plain text, so it needs a parameter that says which. "
        return Finding(
            self.name, home.source.path, call.lineno, home.name, "Ask for the reply in JSON mode",
            f"The reply is parsed as JSON in line {parse.lineno}, but nothing makes the model write JSON alone. {why}"
            "A reply that does not parse is lost.",
            () if why else _edits(call, home),
            (Evidence(function.source.path, parse.lineno, "parsed as JSON here"),),
        )  # fmt: skip


def _asked(parse: ast.Call, function: Function, found: Origin, program: Program) -> Origin | None:
    """The call to give the keyword to: the model's own, or the one of a wrapper that hands the keyword on."""
    call, home = found
    if home is function or KEYWORD not in home.parameters:
        held = {keyword.arg for keyword in call.keywords} & _OTHER_WAYS
        return None if held or takes_stars(call) or not _takes(call, home) else found
    for outer in function.calls:
        if home in program.callees(outer, function) and outer.lineno <= parse.lineno:
            given = argument_of(outer, home, KEYWORD)
            return (outer, function) if given is None and not takes_stars(outer) else None
    return None


def _takes(call: ast.Call, function: Function) -> bool:
    return ast.unparse(call.func).endswith(_TAKE_IT[0]) or function.source.full(call.func) in _TAKE_IT


def _says_json(function: Function, home: Function) -> bool:
    """Whether the prompt says JSON, as the mode requires: in the function, or in a text that its file holds."""
    places = (function.node, home.node, home.source.tree)
    return any("json" in text.lower() for place in places for text in strings(place) if text != "json_object")


def _is_list(parse: ast.Call, function: Function) -> bool:
    """Whether a list is expected: looped over, tested for, or said in the prompt."""
    source = function.source
    statement = source.statement(parse)
    names = {ast.unparse(t) for t in statement.targets} if isinstance(statement, ast.Assign) else set()
    for node in function.own:
        if isinstance(node, ast.For | ast.comprehension) and (
            node.iter is parse or (isinstance(node.iter, ast.Name) and node.iter.id in names)
        ):
            return True
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "isinstance"
            and "list" in ast.unparse(node.args[-1])
        ):
            return True
    said = " ".join(strings(function.node)).lower()
    return any(mark in said for mark in ("json array", "json list", "list of json", "array of json"))


def _edits(call: ast.Call, home: Function) -> tuple[Edit, ...]:
    text = ast.unparse(call)
    same = [other for other in home.everything if isinstance(other, ast.Call) and ast.unparse(other) == text]
    if len(same) != 1:
        return ()
    return (home.edit("set_keyword", call=text, keyword=KEYWORD, value=MODE),)
