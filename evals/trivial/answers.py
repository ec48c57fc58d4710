"""Answers that know nothing of the example they are for, in the form of a column of real ones.

What each means depends on what the answers are (`column.kind_of`):

constant    every example gets one and the same answer.
  class indices   one of the classes that were predicted, the most common first.
  class scores    the mean row of the examples that have the same highest class, the most common such class first.
  rankings        the entries that were ranked, ordered by how often they were; then by the sum of their reciprocal ranks.
  real values     the median, which no other constant beats in absolute error; then the mean, likewise in squared error.
  rows            one of the rows that were predicted, the most common first.
majority    the first of these.
shuffled    the rows of the template, permuted among the examples: the marginal is kept, the association is gone. Permuting
            predictions against labels is equal in distribution to permuting the labels against the predictions.
random      class indices and rows: uniform over the distinct ones seen. Class scores: uniform over the range seen, or over
            the simplex where rows are probabilities. Rankings: as many of the entries seen as a row has, in uniform order.
            Real values: uniform over the range seen.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .column import kind_of

if TYPE_CHECKING:
    from .column import Array

SUMS_TO_ONE = 1e-3


def constants(column: "Array", order: Sequence[int] = ()) -> "Iterator[Array]":
    """Columns of one answer each, the majority first; at least one, and no more than are asked for are made.

    Args:
        order: groups of `groups_of` in the order in which to try them after the majority.
    """
    import numpy as np

    kind = kind_of(column)
    rows: Iterator[Any]
    if kind == "real values":
        rows = iter((np.median(column, axis=0), column.mean(axis=0)))
    elif kind == "rankings":
        rows = _popular(column)
    else:
        rows = _one_a_group(column, order)
    return (_everywhere(row, column) for row in rows)


def groups_of(column: "Array") -> "Array":
    """For class indices, class scores and rows: number of the answer that each example got, the most common one 0."""
    import numpy as np

    keys = column.argmax(axis=1).tolist() if kind_of(column) == "class scores" else [_key(v) for v in column.tolist()]
    ranks = {key: rank for rank, (key, _) in enumerate(Counter(keys).most_common())}
    return np.array([ranks[key] for key in keys])


def shuffled(length: int) -> "Array":
    """A permutation of the examples, always the same."""
    import numpy as np

    places: Array = np.random.default_rng(1).permutation(length)
    return places


def random_answers(column: "Array") -> "Array":
    """Uniform draws, always the same ones."""
    import numpy as np

    generator = np.random.default_rng(2)
    kind = kind_of(column)
    drawn: Any
    if kind == "class scores" and (column >= 0).all() and (abs(column.sum(axis=1) - 1) < SUMS_TO_ONE).all():
        drawn = generator.dirichlet(np.ones(column.shape[1]), len(column))
    elif kind in ("class scores", "real values"):
        drawn = generator.uniform(column.min(), column.max(), column.shape)
    elif kind == "rankings":
        entries = np.unique(column)
        drawn = np.array([generator.permutation(entries)[: column.shape[1]] for _ in range(len(column))])
    else:
        _, first = np.unique(groups_of(column), return_index=True)
        drawn = column[generator.choice(first, len(column))]
    typed: Array = drawn.astype(column.dtype)
    return typed


def is_constant(column: "Array") -> bool:
    """Whether every example got one and the same answer."""
    return bool((column == column[:1]).all())


def _one_a_group(column: "Array", order: Sequence[int]) -> "Iterator[Any]":
    groups, scores = groups_of(column), kind_of(column) == "class scores"
    for group in dict.fromkeys([0, *order, *range(int(groups.max()) + 1)]):
        mine = groups == group
        yield column[mine].mean(axis=0) if scores else column[int(mine.argmax())]


def _popular(column: "Array") -> "Iterator[Any]":
    """The two orders of all ranked entries, each cut to the length of a row."""
    import numpy as np

    entries, places = np.unique(column, return_inverse=True)
    places = places.reshape(column.shape)
    counts = np.bincount(places.ravel(), minlength=len(entries))
    weights = np.broadcast_to(1.0 / np.arange(1, column.shape[1] + 1), column.shape)
    reciprocal = np.bincount(places.ravel(), weights.ravel(), minlength=len(entries))
    for by in (counts, reciprocal):
        yield entries[np.argsort(-by, kind="stable")][: column.shape[1]]


def _everywhere(row: Any, column: "Array") -> "Array":
    import numpy as np

    if column.dtype == object:
        whole: np.ndarray[Any, np.dtype[Any]] = np.empty(len(column), dtype=object)
        for at in range(len(column)):
            whole[at] = row
        return whole
    return np.broadcast_to(np.asarray(row).astype(column.dtype), column.shape).copy()


def _key(value: object) -> object:
    return json.dumps(value, default=repr) if isinstance(value, list | dict) else value
