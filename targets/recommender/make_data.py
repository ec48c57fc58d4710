"""Builds `data/` from the metadata of the Debian archive: which package depends on which.

    apt-get update && python make_data.py

A row is a source package, represented by its binary with the most dependencies: binaries of one source are
near-copies of each other, and a copy of a test row among the training rows would reward memory. A column is a
package that others depend on. The metadata is freely distributable; versions and alternatives are dropped.
"""

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

MIN_DEPENDENTS = 20
MIN_DEPENDENCIES = 5
TRAIN_ROWS = 2500
EVALUATION_ROWS = 600
HELD_OUT_SHARE = 0.3
SPLITS = ("search", "confirm", "sealed")

Rows = dict[str, frozenset[str]]


def read_archive(dump: str) -> Rows:
    """Dependencies of each source package: those of its binary with the most of them, first name on a tie."""
    best: Rows = {}
    for stanza in dump.split("\n\n"):
        fields = dict(line.split(":", 1) for line in stanza.split("\n") if line[:1].strip() and ":" in line)
        if "Package" not in fields:
            continue
        source = fields.get("Source", fields["Package"]).split()[0]
        alternatives = fields.get("Depends", "").split(",")
        names = frozenset(first_name(text) for text in alternatives if text.strip())
        if len(names) > len(best.get(source, ())):
            best[source] = names
    return best


def first_name(alternatives: str) -> str:
    """`libc6 (>= 2.34)` and `mawk:any | awk` give `libc6` and `mawk`."""
    return alternatives.split("|")[0].split("(")[0].split(":")[0].strip()


def keep_frequent(rows: Rows) -> Rows:
    """Rows and columns that are large enough for each other, repeated until nothing falls out."""
    while True:
        dependents = Counter(name for names in rows.values() for name in names)
        columns = {name for name, count in dependents.items() if count >= MIN_DEPENDENTS}
        kept = {row: names & columns for row, names in rows.items()}
        kept = {row: names for row, names in kept.items() if len(names) >= MIN_DEPENDENCIES}
        if kept == rows:
            return rows
        rows = kept


def save(path: Path, lists: list[np.ndarray], **extra: np.ndarray) -> None:
    """Compressed sparse rows: the columns of row i are indices[indptr[i]:indptr[i + 1]]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    indptr = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    indices = np.concatenate([np.sort(columns) for columns in lists]).astype(np.int16)
    np.savez_compressed(path, indptr=indptr, indices=indices, **extra)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    dump = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    rows = keep_frequent(read_archive(dump))
    names = sorted({name for columns in rows.values() for name in columns})
    number = {name: i for i, name in enumerate(names)}
    links = sum(map(len, rows.values()))
    sys.stderr.write(f"{len(rows)} packages x {len(names)} dependencies, {links} links in the archive\n")

    rng = np.random.default_rng(args.seed)
    order = rng.permutation(sorted(rows))
    lists = [rng.permutation([number[name] for name in sorted(rows[row])]) for row in order]
    save(args.out / "train" / "links.npz", lists[:TRAIN_ROWS], names=np.array(names))
    for i, split in enumerate(SPLITS):
        start = TRAIN_ROWS + i * EVALUATION_ROWS
        part = lists[start : start + EVALUATION_ROWS]
        cut = [max(1, round(HELD_OUT_SHARE * len(columns))) for columns in part]
        save(args.out / "inputs" / f"{split}.npz", [columns[k:] for columns, k in zip(part, cut, strict=True)])
        save(args.out / "labels" / f"{split}.npz", [columns[:k] for columns, k in zip(part, cut, strict=True)])


if __name__ == "__main__":
    main()
