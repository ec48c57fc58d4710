"""Which part of the data a name speaks of, also where its words are written together: `testset`, `trainloader`, `ypred`."""

from ..source import words

_PARTS = ("validation", "training", "train", "valid", "test", "eval", "val", "dev")
_THINGS = frozenset(
    "set sets loader loaders dataloader data dataset datasets ds dl iter transform transforms tf gen".split()
)
_SIDES = ("train", "test", "val", "valid", "pred", "true", "hat")


def said(name: str) -> set[str]:
    """Words of a name, those written together taken apart."""
    found: set[str] = set()
    for word in words(name):
        found.add(word)
        part = next((p for p in _PARTS if word.startswith(p) and word[len(p) :] in _THINGS), "")
        if part:
            found |= {part, word[len(part) :]}
        elif word[:1] in ("x", "y") and word[1:] in _SIDES:
            found |= {word[:1], word[1:]}
    return found
