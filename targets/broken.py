"""A rule of target.toml that does not hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    key: str
    message: str
    wanted: str
    found: str
    fix: str = ""
