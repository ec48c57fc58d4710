"""Which files matter: what the entry points import, and what is used most from there (L. Page et al., 1999).

Edges go from the file that uses to the file that defines, by imports and by names called. A name that many files define
(`__init__`, `forward`) says nothing about which is meant: beyond `MAX_DEFINERS` it makes no edge, else it would make most
of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern

from .code_map import Import
from .facts import FileFacts
from .imports import Modules, closure
from .roles import is_test, trains

MAX_DEFINERS = 5
DAMPING = 0.85
ROUNDS = 30
"""0.85 to the 30th is below 1 %: more rounds change no order that matters."""
Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Uses:
    """What relevance needs to know of one file: little enough to hold it for every file of a large repository."""

    imports: tuple[Import, ...]
    defines: frozenset[str]
    """Last parts of the names of its symbols."""
    calls: frozenset[str]
    """Last parts of what it calls."""
    is_script: bool
    """Has a main guard, or trains outside functions."""

    @classmethod
    def of(cls, facts: FileFacts) -> "Uses":
        return cls(
            facts.imports,
            frozenset(intern(symbol.name.rpartition(".")[2]) for symbol in facts.symbols),
            frozenset(intern(call.callee.rpartition(".")[2]) for call in facts.calls),
            facts.is_script or trains(call for call in facts.calls if not call.caller),
        )


@dataclass(frozen=True, slots=True)
class Relevance:
    entry: tuple[str, ...]
    """Where reading starts."""
    reached: tuple[str, ...]
    """What is imported from there, most relevant first, the entry files included."""
    shares: dict[str, float]
    """Of every file, most relevant first: the entry files, what they reach, the rest. They add up to 1."""


def relevance(uses: Mapping[str, Uses], entry: Sequence[str], modules: Modules) -> Relevance:
    """How much each file matters for `entry`; without entry points for the scripts, without those for what nobody imports."""
    start = [file for file in entry if file in uses] or _scripts(uses, modules)
    reached = set(closure(start, {file: one.imports for file, one in uses.items()}, modules))
    shares = page_rank(edges(uses, modules), list(uses), start)
    first = set(start)
    order = sorted(uses, key=lambda file: (file not in first, file not in reached, -shares[file], file))
    return Relevance(
        tuple(start), tuple(file for file in order if file in reached), {file: shares[file] for file in order}
    )


def _scripts(uses: Mapping[str, Uses], modules: Modules) -> list[str]:
    """Files with a main guard or a training loop outside functions, else what nobody imports; tests last."""
    scripts = [file for file, one in uses.items() if one.is_script]
    if not scripts:
        used = {(other, file) for file, one in uses.items() for i in one.imports for other in modules.reached_by(i)}
        imported = {other for other, file in used if other != file}
        scripts = [file for file in uses if file not in imported]
    return [file for file in scripts if not is_test(file)] or scripts


def edges(uses: Mapping[str, Uses], modules: Modules) -> Weights:
    """Weight of each use: 1 for a name imported, and for a name called 1 shared among its definers."""
    definers: dict[str, set[str]] = defaultdict(set)
    for file, one in uses.items():
        for name in one.defines:
            definers[name].add(file)
    found: dict[str, dict[str, float]] = {}
    for file, one in uses.items():
        weights: dict[str, float] = defaultdict(float)
        homes: dict[str, tuple[str, ...]] = {}
        for imported in one.imports:
            if imported.module not in homes:
                homes[imported.module] = modules.reached_by(imported)
            for other in homes[imported.module][-1:]:
                weights[other] += 1.0
        for name in sorted(one.calls):  # the order of a sum of floats is part of the answer
            known = definers.get(name, ())
            if file not in known and len(known) <= MAX_DEFINERS:
                for other in known:
                    weights[other] += 1.0 / len(known)
        weights.pop(file, None)
        found[file] = weights
    return found


def page_rank(weights: Weights, files: Sequence[str], start: Sequence[str]) -> dict[str, float]:
    """The share of time a reader spends in each file who follows a use by its weight, and now and then starts again."""
    begin = dict.fromkeys(start or files, 1.0 / max(1, len(start or files)))
    links = [(file, sum(out.values()), list(out.items())) for file, out in weights.items() if out]
    dead = [file for file in files if not weights.get(file)]
    shares = {file: begin.get(file, 0.0) for file in files}
    for _ in range(ROUNDS):
        given = dict.fromkeys(files, 0.0)
        for file, total, out in links:
            if share := shares[file]:
                part = DAMPING * share / total
                for other, weight in out:
                    given[other] += part * weight
        again = 1.0 - DAMPING + DAMPING * sum(shares[file] for file in dead)
        for file, share in begin.items():
            given[file] += again * share
        shares = given
    return shares
