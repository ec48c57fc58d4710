"""What existing linters say about files: ruff with the families that look for bugs, TorchFix with every rule."""

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


def ruff(command: str, path: str, source: bytes) -> list[Report]:
    words = [command, "check", "--isolated", "--no-cache", "--output-format=json", "--select", ",".join(FAMILIES)]
    done = _run([*words, "--ignore", "S101"], {path: source})
    return [Report(one["code"] or "syntax", one["location"]["row"], one["message"]) for one in json.loads(done or "[]")]


def torchfix(command: str, path: str, source: bytes) -> list[Report]:
    """Lines are `file:line:column: CODE text`."""
    found = []
    for row in _run([command, "--select", "ALL", "-j", "1"], {path: source}).splitlines():
        _, line, _, rest = ([*row.split(":", 3), "", "", ""])[:4]
        if line.isdigit() and rest.split():
            found.append(Report(rest.split()[0], int(line), " ".join(rest.split()[1:])))
    return found


def _run(command: list[str], sources: Mapping[str, bytes]) -> str:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), sources)
        done = subprocess.run([*command, *sources], cwd=name, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout
