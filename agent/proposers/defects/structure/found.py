"""A finding at a node of a function, with the defaults most detectors want."""

import ast

from ....proposal import Edit, Evidence
from ..base import Confidence, Finding
from ..source import Function


def at(detector: str, function: Function, node: ast.AST, title: str, why: str, edits: tuple[Edit, ...] = ()) -> Finding:
    line = getattr(node, "lineno", 1)
    return Finding(detector, function.source.path, line, function.name, title[:72], why, edits)


def also(function: Function, node: ast.AST, note: str) -> Evidence:
    """A second place that a finding rests on."""
    return Evidence(function.source.path, getattr(node, "lineno", 1), note)


def sure(edits: tuple[Edit, ...]) -> Confidence:
    """High where the reading led to one edit, low where only a person can choose."""
    return "high" if edits else "low"
