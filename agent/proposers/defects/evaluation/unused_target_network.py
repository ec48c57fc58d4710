"""A target network that is made and kept up to date, and never asked.

Why it hurts: targets come from the network that is being trained, so they move with every step: values chase themselves
and diverge, which is what the second network is there to prevent. Source: Mnih et al. 2015; seen in public fix histories.

    before                                              after
    next_q = self.q(next_obs).max(1).values             next_q = self.q_target(next_obs).max(1).values

Not flagged: a target network that is called, passed on or copied anywhere in the program.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words

_UPKEEP = frozenset(
    "load_state_dict state_dict parameters named_parameters eval train to requires_grad_ cuda double float apply modules".split()
)


@dataclass(frozen=True, slots=True)
class UnusedTargetNetwork:
    name: str = "unused_target_network"

    def detect(self, program: Program) -> Iterable[Finding]:
        uses = _uses(program) if any("target" in source.text for source in program.sources) else {}
        for function in program.functions:
            for node, target, online in _copies(function) if uses else ():
                kinds = uses.get(target, set())
                if kinds and "used" not in kinds and "synced" in kinds:
                    yield Finding(
                        self.name,
                        function.source.path,
                        node.lineno,
                        function.name,
                        f"Ask {target} for the value of the next state"[:72],
                        f"`self.{target}` is a copy of `self.{online}` that is kept up to date, and nothing calls it.",
                        _edits(function, target, online),
                        confidence="high",
                    )


def _uses(program: Program) -> dict[str, set[str]]:
    """For each attribute what is done with it: `synced` when its weights are touched, `used` for anything else."""
    found: dict[str, set[str]] = {}
    for function in program.functions:
        for node in function.own:
            if not isinstance(node, ast.Attribute) or "target" not in words(node.attr):
                continue
            kinds = found.setdefault(node.attr, set())
            parent = function.source.parents[node]
            if isinstance(node.ctx, ast.Store):
                continue
            if isinstance(parent, ast.Attribute) and parent.attr in _UPKEEP:
                if parent.attr in ("load_state_dict", "parameters", "named_parameters", "state_dict"):
                    kinds.add("synced")
            else:
                kinds.add("used")
        if any(isinstance(n, ast.Constant) and n.value == "getattr" for n in function.own):
            continue
    return found


def _copies(function: Function) -> Iterator[tuple[ast.Assign, str, str]]:
    """`self.q_target = deepcopy(self.q)`, or of the same call as `self.q`: the statement and both names."""
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=target)], value=value) if (
                "target" in words(target)
            ):
                pass
            case _:
                continue
        while (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in ("to", "cuda", "eval")
        ):
            value = value.func.value
        match value:
            case ast.Call(args=[ast.Attribute(value=ast.Name("self"), attr=online)]) if (
                called_name(value) == "deepcopy"
            ):
                yield node, target, online
            case ast.Call():
                text = ast.unparse(node.value)
                for name, values in function.assigned.items():
                    if (
                        name.startswith("self.")
                        and name != f"self.{target}"
                        and [ast.unparse(v) for _, v in values] == [text]
                    ):
                        yield node, target, name.removeprefix("self.")
                        break


def _edits(function: Function, target: str, online: str) -> tuple[Edit, ...]:
    """The target in place of the online network where it is asked about next states, if that is one place."""
    calls = [
        (home, call)
        for home in function.source.functions
        if home.owner is function.owner
        for call in home.calls
        if ast.unparse(call.func) == f"self.{online}" and call.args and "next" in _said(call.args[0])
    ]
    if len(calls) != 1:
        return ()
    home, call = calls[0]
    func = home.source.segment(call.func)
    return (home.replace(call, f"self.{target}{home.source.segment(call)[len(func) :]}"),)


def _said(node: ast.expr) -> set[str]:
    return {word for n in ast.walk(node) if isinstance(n, ast.Name) for word in words(n.id)}
