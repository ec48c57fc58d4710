"""A cosine similarity that does not divide by the lengths.

Why it hurts: the dot product alone prefers long vectors: the same few texts win for every query. Source: seen in public fix
histories; the documentation of FAISS (IndexFlatIP is the cosine of normalised vectors only).

    before                                      after
        def cosine_similarity(a, b):                def cosine_similarity(a, b):
            return np.dot(a, b)                         return np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))

Silent: a function or its callers that normalise in any way, by a name that says norm or unit too.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function, words

_NORMS = frozenset("norm norms normalize normalise normalized normalised norm2 l2 unit hypot sqrt linalg length magnitude "
                   "rsqrt einsum cdist cosine_similarity".split())  # fmt: skip
_PRODUCTS = frozenset({"numpy.dot", "numpy.inner", "torch.dot", "torch.matmul", "numpy.matmul", "numpy.vdot"})


@dataclass(frozen=True, slots=True)
class CosineUnnormalised:
    name: str = "cosine_unnormalised"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not _claims_cosine(function) or _normalises(function):
                continue
            product = _returned_product(function)
            if product is None or any(_normalises(caller) for caller, _ in program.callers(function)):
                continue
            yield Finding(
                self.name, function.source.path, product.lineno, function.name, "Divide the product by the lengths of both",
                f"{function.name} is called a cosine and returns the bare product: the longer vector wins.",
                _edits(product, function),
            )  # fmt: skip


def _claims_cosine(function: Function) -> bool:
    said = function.words
    return (
        "cosine" in said
        and bool(said & {"similarity", "sim", "score", "distance", "cosine"})
        and not said & {"schedule", "lr", "warmup", "annealing", "decay"}
    )


def _normalises(function: Function) -> bool:
    for node in function.everything:
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name and _NORMS & {*words(name), name}:
            return True
        if isinstance(node, ast.Div) or (isinstance(node, ast.keyword) and node.arg and "norm" in node.arg):
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "normali" in node.value.lower():
            return True
    return bool(isinstance(function.node, ast.FunctionDef) and _NORMS & set(function.parameters))


def _returned_product(function: Function) -> ast.Call | None:
    """The one product of two parameters that is returned."""
    if len(function.returns) != 1:
        return None
    (value,) = function.returns
    match value:
        case ast.Call(func=ast.Name(id="float"), args=[inner]) | ast.Call(func=ast.Attribute(attr="item", value=inner)):
            value = inner
    if isinstance(value, ast.Call) and function.source.full(value.func) in _PRODUCTS and len(value.args) == 2:
        return value if all(isinstance(a, ast.Name) and a.id in function.parameters for a in value.args) else None
    return None


def _edits(product: ast.Call, function: Function) -> tuple[Edit, ...]:
    if not function.source.full(product.func).startswith("numpy."):
        return ()
    module = ast.unparse(product.func).rpartition(".")[0]
    one, other = (ast.unparse(argument) for argument in product.args)
    if not module:
        return ()
    lengths = f"({module}.linalg.norm({one}) * {module}.linalg.norm({other}))"
    return (function.replace(product, f"{ast.unparse(product)} / {lengths}"),)
