"""The luck of the examples where they come in groups: users, documents, scenes."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 2000


def bootstrap_standard_error(differences: "NDArray[np.float64]", groups: "NDArray[np.int64]") -> float:
    """Standard error of the mean of a seeds x examples table, by drawing whole groups and whole seeds with replacement.

    The cluster bootstrap (Davison & Hinkley 1997, section 3.8) over groups, crossed with seeds: Owen's (2007) pigeonhole
    bootstrap, which errs to the wide side. Examples weigh alike, so a large group weighs more. The draws are the same in
    every call: the same runs give the same interval.
    """
    import numpy as np

    seeds = len(differences)
    sizes = np.bincount(groups).astype(np.float64)
    sums = np.stack([np.bincount(groups, weights=row) for row in differences])
    random = np.random.default_rng(20260101)
    of_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=DRAWS) / seeds
    of_groups = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=DRAWS)
    means = np.einsum("ds,sg,dg->d", of_seeds, sums, of_groups, optimize=True) / (of_groups @ sizes)
    return math.sqrt(float(np.var(means, ddof=1)))
