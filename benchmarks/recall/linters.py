"""What existing linters say about files: ruff with the families that look for bugs, TorchFix with every rule."""

import ast
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .oracle_runs import write

FAMILIES = ("F", "E9", "A", "ARG", "B", "BLE", "NPY", "PD", "PLE", "PLW", "RUF", "S", "SIM")
"""Thirteen families; style alone is left out."""


@dataclass(frozen=True)
class Report:
    code: str
    line: int
    text: str


def ruff(command: str, sources: Mapping[str, bytes]) -> dict[str, list[Report]]:
    words = [command, "check", "--isolated", "--no-cache", "--output-format=json", "--select", ",".join(FAMILIES)]
    found: dict[str, list[Report]] = {path: [] for path in sources}
    with tempfile.TemporaryDirectory() as name:
        for one in json.loads(_run([*words, "--ignore", "S101"], Path(name).resolve(), sources) or "[]"):
            path = str(Path(one["filename"]).relative_to(Path(name).resolve()))
            found[path].append(Report(one["code"] or "syntax", one["location"]["row"], one["message"]))
    return found


def torchfix(command: str, sources: Mapping[str, bytes]) -> dict[str, list[Report]]:
    """Its rows are `file:line:column: CODE text`."""
    found: dict[str, list[Report]] = {path: [] for path in sources}
    with tempfile.TemporaryDirectory() as name:
        for row in _run([command, "--select", "ALL", "-j", "1"], Path(name).resolve(), sources).splitlines():
            path, line, _, rest = ([*row.split(":", 3), "", "", ""])[:4]
            path = path.removeprefix(f"{Path(name).resolve()}/")
            if path in found and line.isdigit() and rest.split():
                found[path].append(Report(rest.split()[0], int(line), " ".join(rest.split()[1:])))
    return found


def only(symbol: str, source: bytes) -> bytes:
    """The file's imports and the top-level definition around `symbol`; every other line is empty, so that lines keep numbers.

    For a linter that reads 500 lines a second and looks at one call at a time.
    """
    name = symbol.split(".")[0]
    kept = set[int]()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) or not name or getattr(node, "name", "") == name:
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            kept |= set(range(first, (node.end_lineno or node.lineno) + 1))
    lines = source.splitlines()
    return b"\n".join(line if row in kept else b"" for row, line in enumerate(lines, start=1)) + b"\n"


def _run(command: list[str], folder: Path, sources: Mapping[str, bytes]) -> str:
    """All files at once: TorchFix takes longer to start than to read one."""
    write(folder, sources)
    done = subprocess.run([*command, *sources], cwd=folder, capture_output=True, text=True, timeout=3600, check=False)
    return done.stdout
