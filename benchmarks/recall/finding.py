"""Runs the detectors on one file and what it imports, and says which findings speak of a defect."""

import ast
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from branchlab.agent.ast_facts import ast_facts
from branchlab.agent.code_map import CodeMap
from branchlab.agent.imports import Modules
from branchlab.agent.proposers.defects import Finding, find_defects
from branchlab.agent.read import read_code
from branchlab.agent.readable import UnreadableError, parse

from .kinds import DETECTORS_OF
from .records import Defect


@dataclass(frozen=True)
class Found:
    code: CodeMap
    findings: tuple[Finding, ...]
    """In the file of the defect."""


def read_neighbourhood(defect: Defect, sources: Mapping[str, bytes]) -> Found:
    """What is found in the file, read together with the files of the repository it imports itself."""
    files = [defect.file]
    try:
        facts = ast_facts(defect.file, *parse(sources[defect.file]))
    except UnreadableError:
        pass
    else:
        modules = Modules(sources)
        files += [file for imported in facts.imports for file in modules.reached_by(imported)]
    near = {file: sources[file] for file in dict.fromkeys(files) if file in sources}
    code = read_code(defect.parent, near, [defect.file], cst_bytes=0)
    return Found(code, tuple(one for one in find_defects(code) if one.file == defect.file))


def hits(defect: Defect, before: Found, after: Callable[[], Found]) -> list[Finding]:
    """Findings of the right kind, in the symbol that was mended or its class, that are gone once it is mended.

    The last condition keeps out a finding of the same kind about something else.
    """
    names = DETECTORS_OF.get(defect.number, ())
    span = span_of(before.code.sources[defect.file], defect.symbol)
    right = [
        one for one in before.findings if one.detector in names and (one.symbol == defect.symbol or one.line in span)
    ]
    left = Counter(map(_what, after().findings)) if right else Counter[tuple[str, str, str]]()
    had = Counter(map(_what, before.findings))
    return [one for one in right if left[_what(one)] < had[_what(one)]]


def _what(finding: Finding) -> tuple[str, str, str]:
    return finding.detector, finding.symbol, finding.title


def span_of(source: bytes, symbol: str) -> range:
    """Lines of the symbol's class, of the function when it has none, of the whole file for a script's own level."""
    try:
        tree: ast.AST = ast.parse(source)
    except (SyntaxError, ValueError):
        return range(0)
    if not symbol:
        return range(1, source.count(b"\n") + 2)
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == symbol.split(".")[0]:
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(0)
