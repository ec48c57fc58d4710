"""`kl_div` averaged over classes as well as examples.

Why it hurts: the default, `reduction="mean"`, divides by the number of elements: with 1,000 classes the term is 1,000
times weaker than the divergence its weight was chosen for, and its weight changes with the number of classes or the
length of the sequence. `batchmean` is the divergence. Source: the warning PyTorch itself prints; documentation of
KLDivLoss.

    before                                          after
    F.kl_div(log_p, q)                              F.kl_div(log_p, q, reduction="batchmean")

Silent: any reduction that is written out, `mean` included: its author chose it.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program
from .found import at
from .kl_div_input import divergence


@dataclass(frozen=True, slots=True)
class KlDivMean:
    name: str = "kl_div_mean"

    def detect(self, program: Program) -> Iterable[Finding]:
        seen: set[ast.Call] = set()
        for function in program.functions:
            for call in function.calls:
                made = divergence(call, function, program)
                if (
                    made is None
                    or made in seen
                    or any(k.arg in (None, "reduction", "reduce", "size_average") for k in made.keywords)
                ):
                    continue
                if len(made.args) > (2 if made is call else 0):
                    continue
                home = next((f for f in program.functions if made in f.calls), None)
                if home is None:
                    continue
                seen.add(made)
                why = "The default reduction divides by the number of classes too: the term is weaker by that factor."
                edit = home.set_keyword(made, "reduction", '"batchmean"')
                found = at(
                    self.name, home, made, "Average the divergence over examples, not over classes", why, (edit,)
                )
                yield replace(found, confidence="high")
