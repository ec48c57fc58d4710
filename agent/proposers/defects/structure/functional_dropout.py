"""Dropout as a function inside a model, which goes on dropping when the model is put into evaluation mode.

Why it hurts: `F.dropout` drops unless it is told `training=False`, and `scaled_dot_product_attention` drops whatever
`dropout_p` says. `model.eval()` does not reach them: predictions are noisy, two evaluations differ, and the score is
lower than that of the same weights without noise. Source: Humbatova et al. 2020; the documentation of both functions.

    before                                          after
    def forward(self, x):                           def forward(self, x):
        return F.dropout(self.fc(x), 0.5)               return F.dropout(self.fc(x), 0.5, training=self.training)

Silent: calls that pass `training`, calls under a condition on it, a probability that depends on it, functions that are
about drawing many samples on purpose, and functions outside a model.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, keyword_of
from ..source import Function, words
from .found import at

_DROPOUTS = frozenset("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout".split())
_ON_PURPOSE = frozenset("mc monte bayes bayesian uncertainty stochastic sample prenet".split())


@dataclass(frozen=True, slots=True)
class FunctionalDropout:
    name: str = "functional_dropout"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if function.parameters[:1] != ("self",) or function.owner is None or _is_on_purpose(function):
                continue
            for call in function.calls:
                full = function.source.full(call.func)
                if not full.startswith("torch.nn.functional.") or _asks_for_the_mode(call, function):
                    continue
                if "always" in _line(call, function):
                    continue  # as a comment says
                if full.rpartition(".")[2] in _DROPOUTS:
                    found = self._dropout(call, function)
                elif full.endswith(".scaled_dot_product_attention"):
                    found = self._attention(call, function, program)
                else:
                    continue
                if found is not None and program.is_model(function.owner, function.source):
                    yield replace(found, confidence="high")

    def _dropout(self, call: ast.Call, function: Function) -> Finding | None:
        if len(call.args) > 2 or any(k.arg in (None, "training") for k in call.keywords):
            return None
        if any(isinstance(argument, ast.Starred) for argument in call.args):
            return None
        edit = function.set_keyword(call, "training", "self.training")
        why = "Without `training` it drops in evaluation too: `eval()` sets `self.training`, and nothing here reads it."
        return at(self.name, function, call, "Drop only in training", why, (edit,))

    def _attention(self, call: ast.Call, function: Function, program: Program) -> Finding | None:
        given = keyword_of(call, "dropout_p")
        if given is None or _may_depend_on_mode(given, function, program):
            return None
        value = f"{ast.unparse(given)} if self.training else 0.0"
        why = f"`dropout_p={ast.unparse(given)}` is used as it is, in evaluation too: this function knows no mode."
        edit = function.set_keyword(call, "dropout_p", value)
        return at(self.name, function, call, "Drop attention weights only in training", why, (edit,))


def _line(call: ast.Call, function: Function) -> str:
    return function.source.lines[(call.end_lineno or call.lineno) - 1].lower()


def _is_on_purpose(function: Function) -> bool:
    around = words(function.owner.name) if function.owner is not None else ()
    return bool(_ON_PURPOSE & {*function.words, *around})


def _asks_for_the_mode(call: ast.Call, function: Function) -> bool:
    """Whether a condition around the call, or an early return above it, reads the mode."""
    tests = [n.test for n in function.source.ancestors(call) if isinstance(n, ast.If | ast.IfExp)]
    tests += [n.test for n in function.own if isinstance(n, ast.If) and any(isinstance(s, ast.Return) for s in n.body)]
    return any("training" in ast.unparse(test) for test in tests)


def _may_depend_on_mode(given: ast.expr, function: Function, program: Program) -> bool:
    if isinstance(given, ast.Constant):
        return not given.value
    if isinstance(given, ast.Name) and given.id in function.parameters:
        return True  # the caller decides
    texts = [ast.unparse(given), *(ast.unparse(value) for _, value in function.assignments(ast.unparse(given)))]
    if any("training" in text for text in texts):
        return True
    if isinstance(given, ast.Call) or not texts:
        return True
    attribute = given.attr if isinstance(given, ast.Attribute) else ""
    if attribute and ast.unparse(given) == f"self.{attribute}":
        return not _is_fixed(attribute, function, program)
    return not attribute


def _is_fixed(attribute: str, function: Function, program: Program) -> bool:
    """Whether the attribute is set where the model is built, and only there."""
    setters = [
        f
        for f in program.functions
        if f.owner is function.owner and f.source is function.source and f.assignments(f"self.{attribute}")
    ]
    return bool(setters) and all(f.name.endswith("__init__") for f in setters)
