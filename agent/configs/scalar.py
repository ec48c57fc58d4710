"""One value of a configuration file, and where it stands."""

from dataclasses import dataclass

from ...targets.tunable import Value

Path = tuple[str | int, ...]

MAX_NESTING = 60


class ConfigError(Exception):
    """Why a configuration file was not read, in one line."""


@dataclass(frozen=True, slots=True)
class Scalar:
    path: Path
    value: Value
    start: int
    end: int
    """Offsets into the text, in characters."""
    is_loose: bool = False
    """A number in the author's eyes only: YAML 1.1 reads `1e-3` as a string."""

    @property
    def key(self) -> str:
        """The path as text: `optim.betas[0]`."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


def refuse_deep(text: str) -> None:
    """ConfigError when brackets are nested deeper than a configuration ever is."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ConfigError(f"brackets nested more than {MAX_NESTING} deep")
        elif character in "]}":
            depth = max(0, depth - 1)
