"""The collected defects: pointers into public histories, never a line of their code."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Defect:
    name: str
    repo: str
    fix: str
    parent: str
    file: str
    symbol: str
    """Function or method that was mended; empty for a script's own level."""
    number: int
    """In the catalogue of kinds."""
    kind: str
    how_to_tell: str
    half: str
    reproduced: bool
    """Its oracle was seen to say "defect" on the parent and "sound" on the fix."""

    @property
    def oracle(self) -> Path | None:
        path = HERE / "oracles" / (self.name.replace("-", "_") + ".py")
        return path if path.is_file() else None


def half_of(fix: str) -> str:
    """By the commit alone: nobody chooses which defects are developed on."""
    return "develop" if hashlib.sha256(fix.encode()).digest()[0] % 2 == 0 else "held_out"


def read_defects(path: Path = HERE / "defects.jsonl") -> list[Defect]:
    found = [Defect(**json.loads(line)) for line in path.read_text().splitlines() if line]
    for defect in found:
        assert defect.half == half_of(defect.fix), f"{defect.name}: the half is that of the commit"
    return found
