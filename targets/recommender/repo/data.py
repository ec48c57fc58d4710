"""Reads the link files: compressed sparse rows in an npz, one row a package, one column a dependency."""

from pathlib import Path

import numpy as np


def load_matrix(path: Path, n_items: int) -> np.ndarray:
    """Dense float32 matrix of zeros and ones, rows x items."""
    with np.load(path, allow_pickle=False) as links:
        indptr, indices = links["indptr"], links["indices"]
    matrix = np.zeros((len(indptr) - 1, n_items), dtype=np.float32)
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    matrix[rows, indices] = 1.0
    return matrix


def load_names(path: Path) -> list[str]:
    with np.load(path, allow_pickle=False) as links:
        return links["names"].tolist()
