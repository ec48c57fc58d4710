"""A checkpoint is loaded with `strict=False`, and nobody looks at what did not fit.

Why it hurts: a renamed layer, a wrong prefix or a wrong file leaves weights random, and training or evaluation goes on
as if they had been loaded. Source: seen in public fix histories; Humbatova et al. 2020.

    before                                              after
    model.load_state_dict(state, strict=False)          result = model.load_state_dict(state, strict=False)
                                                        print(result.missing_keys, result.unexpected_keys)

Only told: what may be missing is the author's to say.

Not flagged: a result that is kept, and `strict` given by a variable.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of


@dataclass(frozen=True, slots=True)
class UnseenMissingKeys:
    name: str = "unseen_missing_keys"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) != "load_state_dict" or not isinstance(function.source.parents[call], ast.Expr):
                    continue
                strict = keyword_of(call, "strict") or (call.args[1] if len(call.args) > 1 else None)
                if isinstance(strict, ast.Constant) and strict.value is False:
                    yield Finding(
                        self.name,
                        function.source.path,
                        call.lineno,
                        function.name,
                        "Look at the keys that strict=False lets pass",
                        f"`{ast.unparse(call)[:80]}` returns the missing and unexpected keys, and nobody reads them.",
                        (),
                        effect="visibility",
                        confidence="low",
                    )
