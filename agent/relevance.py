"""Which files matter: what the entry points import, and what is used most from there (L. Page et al., 1999).

Edges go from the file that uses to the file that defines, by imports and by names called. A name that many files define
(`__init__`, `forward`) says nothing about which is meant: beyond `MAX_DEFINERS` it makes no edge, else it would make most
of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .facts import FileFacts
from .imports import Modules, closure

MAX_DEFINERS = 5
DAMPING = 0.85
ROUNDS = 30
"""0.85 to the 30th is below 1 %: more rounds change no order that matters."""
Weights = Mapping[str, Mapping[str, float]]


def relevance(
    facts: Mapping[str, FileFacts], entry: Sequence[str], modules: Modules
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The share of each file, most relevant first, and the files that `entry` reaches by imports, in that order.

    Without entry points the scripts are; without scripts every file is one, and none is reached. Shares add up to 1. What the entry points reach comes first.
    """
    start = [file for file in entry if file in facts] or [file for file, one in facts.items() if one.is_script]
    reached = set(closure(start, {file: one.imports for file, one in facts.items()}, modules))
    shares = page_rank(edges(facts, modules), list(facts), start)
    first = set(start)
    order = sorted(facts, key=lambda file: (file not in reached, file not in first, -shares[file], file))
    return {file: shares[file] for file in order}, tuple(file for file in order if file in reached)


def edges(facts: Mapping[str, FileFacts], modules: Modules) -> Weights:
    """Weight of each use: 1 for a name imported, and for a name called 1 shared among its definers."""
    definers: dict[str, set[str]] = defaultdict(set)
    for file, one in facts.items():
        for symbol in one.symbols:
            definers[symbol.name.rpartition(".")[2]].add(file)
    found: dict[str, dict[str, float]] = {}
    for file, one in facts.items():
        weights: dict[str, float] = defaultdict(float)
        homes: dict[str, tuple[str, ...]] = {}
        for imported in one.imports:
            if imported.module not in homes:
                homes[imported.module] = modules.reached_by(imported)
            for other in homes[imported.module][-1:]:
                weights[other] += 1.0
        for name in {call.callee.rpartition(".")[2] for call in one.calls}:
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
