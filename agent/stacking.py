"""Which edits of a winner can stand alone, and which need others below them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from ..targets.errors import OperatorError
from ..targets.merging import merged
from .operators.apply import apply_edits
from .proposal import Edit

Files = Mapping[str, bytes]
Path = tuple[int, ...]
"""Numbers of edits in the order they are committed; the last one is the edit whose path it is."""


def paths_of(sources: Files, links: Sequence[Sequence[Edit]], allowed: Callable[[Files], bool]) -> tuple[Path, ...]:
    """For each link, in order: the earlier links it has to stand on, and itself.

    A link stands alone on `sources` when it applies there, `allowed` takes the result (the files it changes), and it
    touches no other: different files, or changes that git merges in either order into what the edits make in either
    order. Links that touch are stacked, the later one on the earlier. The links, applied in order, made the winner, so
    a link on all earlier ones always stands.
    """
    alone = [_changed(sources, [link], allowed) for link in links]
    paths: list[Path] = []
    for i in range(len(links)):
        below = {j for j in range(i) if _touch(sources, links, (j, i), alone)}
        path = (*_closed(below, paths), i)
        if _changed(sources, [links[j] for j in path], allowed) is None:
            path = _shortest(sources, links, paths, allowed)
        paths.append(path)
    return tuple(paths)


def _changed(sources: Files, links: Sequence[Sequence[Edit]], allowed: Callable[[Files], bool]) -> Files | None:
    """The files these links change together; None where they do not apply or may not stand."""
    try:
        files = apply_edits(sources, list(chain.from_iterable(links)))
    except OperatorError:
        return None
    return files if allowed(files) else None


def _touch(
    sources: Files, links: Sequence[Sequence[Edit]], pair: tuple[int, int], alone: Sequence[Files | None]
) -> bool:
    first, second = pair
    mine, theirs = alone[first], alone[second]
    if mine is None or theirs is None:  # one stands on others: what they share a file with must not move below them
        return not _files(links[first]).isdisjoint(_files(links[second]))
    shared = mine.keys() & theirs.keys()
    if not shared:
        return False
    try:
        one = apply_edits(sources, [*links[first], *links[second]])
        other = apply_edits(sources, [*links[second], *links[first]])
    except OperatorError:
        return True
    if one != other:
        return True
    merges = [(file, merged(sources[file], mine[file], theirs[file])) for file in shared]
    merges += [(file, merged(sources[file], theirs[file], mine[file])) for file in shared]
    return any(result != one.get(file) for file, result in merges)


def _shortest(
    sources: Files, links: Sequence[Sequence[Edit]], paths: Sequence[Path], allowed: Callable[[Files], bool]
) -> Path:
    """The path of a link that does not stand on what it touches: on one earlier link's path, else on all of them."""
    i = len(paths)
    below = {j for j in range(i) if not _files(links[j]).isdisjoint(_files(links[i]))}
    for j in reversed(range(i)):
        path = (*_closed({j, *below}, paths), i)
        if _changed(sources, [links[k] for k in path], allowed) is not None:
            return path
    return tuple(range(i + 1))


def _closed(below: set[int], paths: Sequence[Path]) -> Path:
    """These links and all that they stand on, in order."""
    return tuple(sorted({k for j in below for k in paths[j]}))


def _files(link: Sequence[Edit]) -> set[str]:
    return {edit.file for edit in link}
