"""Objects that learn from data how to transform it: scalers, imputers, selectors, hand-written ones too."""

import ast
from collections.abc import Iterator

from .program import Program, called_name, receiver
from .source import Function, words
from .training import HELD_OUT_WORDS, TRAIN_WORDS, mentions

FITS = ("fit", "fit_transform")
HARMLESS = frozenset("label encoder tokenizer vocab vocabulary binarizer lookup tsne umap".split())
"""What they learn is a list of names, or is never applied to other data."""
PREPROCESSING = frozenset(
    "scaler imputer normalizer standardizer vectorizer transformer pca svd select selector kbest percentile poly "
    "preprocessor preprocess scale sc ss mms stdsc minmax standardize tfidf".split()
)
PACKAGES = ("sklearn.preprocessing.", "sklearn.impute.", "sklearn.decomposition.", "sklearn.feature_")
HELD_OUT = HELD_OUT_WORDS | {"te", "tst", "new", "unseen", "infer", "inference"}
TRAINED_ON = TRAIN_WORDS | {"fit"}


def fits(function: Function, program: Program) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls that fit a preprocessor to data, with the preprocessor as it is written there."""
    for call in function.calls:
        owner = receiver(call)
        if owner is None or called_name(call) not in FITS or not call.args or isinstance(call.args[0], ast.Starred):
            continue
        made = [(v, f) for v, f in program.values(owner, function) if isinstance(v, ast.Call)]
        named = set(words(ast.unparse(owner).partition("(")[0]))
        named |= {word for value, _ in made for word in words(called_name(value))}
        if named & HARMLESS or not _can_transform(made, program):
            continue
        known = any(f.source.full(v.func).startswith(PACKAGES) for v, f in made)
        if called_name(call) == "fit_transform" or known or named & PREPROCESSING:
            yield call, owner


def _can_transform(made: list[tuple[ast.Call, Function]], program: Program) -> bool:
    classes = [found for v, f in made if (found := program.find_class(called_name(v), f.source)) is not None]
    return all(program.method(*found, "transform") is not None for found in classes)


def is_held_out(node: ast.expr) -> bool:
    """Whether data is for evaluation by its name: `x_test`, `test_df[train_columns]`, `x[test_index]`."""
    root = node
    while isinstance(root, ast.Subscript | ast.Attribute | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    if mentions(root, TRAINED_ON):
        return False
    return mentions(root, HELD_OUT) or (mentions(node, HELD_OUT) and not mentions(node, TRAINED_ON))


def is_restored(node: ast.expr, function: Function, program: Program, depth: int = 3) -> bool:
    """Whether a preprocessor comes with what it has learnt: unpickled, part of a checkpoint, or made from one."""
    if depth == 0:
        return False
    values = list(program.values(node, function))
    return bool(values) and all(_is_restored(value, home, program, depth) for value, home in values)


def _is_restored(value: ast.expr, function: Function, program: Program, depth: int) -> bool:
    if isinstance(value, ast.Subscript):
        return is_restored(value.value, function, program, depth - 1)
    if not isinstance(value, ast.Call):
        return False
    if "load" in words(called_name(value)) and not program.callees(value, function):
        return True
    inner = [*value.args, *(keyword.value for keyword in value.keywords)]
    return any(is_restored(argument, function, program, depth - 1) for argument in inner)
