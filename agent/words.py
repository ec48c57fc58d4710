"""The words a name is made of: `learningRate`, `--learning-rate` and `LEARNING_RATE2` all say *learning rate*."""

from functools import lru_cache


@lru_cache(maxsize=1 << 15)
def words(name: str) -> tuple[str, ...]:
    """Lower-case words of an identifier or option; digits at the end of a word are dropped."""
    spaced: list[str] = []
    previous = ""
    for character in name:
        if character.isupper() and previous.islower():
            spaced.append(" ")
        spaced.append(character if character.isalnum() else " ")
        previous = character
    parts = "".join(spaced).lower().split()
    return tuple(part.rstrip("0123456789") or part for part in parts)


def says(name: str, phrases: frozenset[str]) -> str:
    """The first phrase, of one word or of several in a row, that `name` says; empty when it says none."""
    return said(words(name), phrases)


def said(parts: tuple[str, ...], phrases: frozenset[str]) -> str:
    """The longest phrase of `phrases` among consecutive `parts`; empty when there is none."""
    for length in range(min(4, len(parts)), 0, -1):
        for start in range(len(parts) - length + 1):
            if (phrase := " ".join(parts[start : start + length])) in phrases:
                return phrase
    return ""
