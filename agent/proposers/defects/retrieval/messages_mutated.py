"""A function changes the caller's list of messages on its way to the model.

Why it hurts: the list is longer, or its instructions are there twice, at the next call: the prompt grows from call to call, answers
depend on what was asked before, and a retry is not the same question. Source: seen in public fix histories.

    before                                                      after
        def ask(messages):                                          def ask(messages):
            messages.insert(0, SYSTEM)                                  messages = list(messages)
            return client.chat.completions.create(                      messages.insert(0, SYSTEM)
                messages=messages)                                      return client.chat.completions.create(
                                                                            messages=messages)

Silent: lists that are copied first, that are returned, or that get the answer too: those keep a conversation on purpose.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program
from ..source import Function, words
from .model_calls import is_model_call

_NAMES = frozenset({"messages", "msgs", "chat_messages", "prompt_messages"})
_CHANGES = frozenset({"append", "insert", "extend"})


@dataclass(frozen=True, slots=True)
class MessagesMutated:
    name: str = "messages_mutated"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for name in sorted(_NAMES & set(function.parameters)):
                if not function.assignments(name):
                    yield from self._look(name, function, function.insert(f"{name} = list({name})", "first"))
            for name, alias in _aliases(function):
                code = f"{name} = list({ast.unparse(alias.value)})"
                yield from self._look(
                    name, function, function.edit("replace_statement", **function.anchor(alias), code=code)
                )

    def _look(self, name: str, function: Function, edit: Edit) -> Iterable[Finding]:
        changed = [node for node in function.own if _changes(node, name)]
        call = _sent(name, function)
        if changed and call is not None and not _keeps(name, call, function):
            yield self._finding(name, changed[0], call, function, edit)

    def _finding(self, name: str, change: ast.AST, call: ast.Call, function: Function, edit: Edit) -> Finding:
        line = getattr(change, "lineno", call.lineno)
        return Finding(
            self.name, function.source.path, line, function.name, f"Copy {name} before changing it",
            f"`{name}` is the caller's list: what is added here for one call is still in it at the next.",
            (edit,),
            (Evidence(function.source.path, call.lineno, "sent to the model here"),),
        )  # fmt: skip


def _aliases(function: Function) -> Iterator[tuple[str, ast.Assign]]:
    """`messages = history` of a parameter: another name for the caller's list."""
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=given)) if name in _NAMES:
                if given in function.parameters and set(words(given)) & {"messages", "msgs", "history"}:
                    yield name, node


def _changes(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=found), attr=method))):
            return found == name and method in _CHANGES
        case ast.AugAssign(target=ast.Name(id=found), op=ast.Add()):
            return found == name
    return False


def _sent(name: str, function: Function) -> ast.Call | None:
    for call in function.calls:
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if is_model_call(call, function.source) and any(isinstance(a, ast.Name) and a.id == name for a in given):
            return call
    return None


def _keeps(name: str, call: ast.Call, function: Function) -> bool:
    """Whether the list goes back to the caller, or is made to keep the conversation."""
    if any(ast.unparse(value) == name for value in function.returns):
        return True
    if any(
        isinstance(n, ast.Name) and n.id == name
        for value in function.returns
        for n in ast.walk(value)
        if value is not call
    ):
        return any(isinstance(value, ast.Tuple) for value in function.returns)
    return any(_changes(node, name) and getattr(node, "lineno", 0) > call.lineno for node in function.own)
