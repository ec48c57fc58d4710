"""Reads one commit of a checkout, and names what was too large to look at."""

from dataclasses import replace

from ..targets.checkout import Checkout
from ..targets.target import Target
from .code_map import CodeMap, Unread
from .index import NAME, FactIndex
from .read import read_code
from .tuning_scope import entry_files


def read_commit(checkout: Checkout, commit: str, target: Target | None = None) -> CodeMap:
    """The code map of a commit; with a target, what its train command reaches is read first.

    What was read of a file is kept in the state folder that the checkout lies in, for every commit with the same file.
    """
    sources = checkout.tree(commit)
    entry = entry_files(target.steps.train, sources, target.environment.path) if target else ()
    with FactIndex(checkout.git_dir.parent.parent / NAME) as index:
        code = read_code(commit, sources, entry, index=index)
    skipped = (Unread(file, "too large to be read") for file in checkout.too_large(commit))
    return replace(code, unread=(*code.unread, *skipped))
