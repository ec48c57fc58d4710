"""Prompts of a batch are padded on the right, and a causal model writes on after the padding.

Why it hurts: all but the longest prompt are continued after a row of padding tokens; answers of a batch are worse than
those of single prompts, and change with the batch. Source: the warning of `transformers` on decoder-only models.

    before                                              after
    tok = AutoTokenizer.from_pretrained(name)           tok = AutoTokenizer.from_pretrained(name)
    inputs = tok(prompts, padding=True)                 tok.padding_side = "left"
                                                        inputs = tok(prompts, padding=True)

Not flagged: a padding side set anywhere in the program, encoder-decoder models, single prompts.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words

_MANY = frozenset(
    "prompts batch texts inputs questions queries messages sentences examples samples instructions".split()
)


@dataclass(frozen=True, slots=True)
class RightPaddedGeneration:
    name: str = "right_padded_generation"

    def detect(self, program: Program) -> Iterable[Finding]:
        if any("padding_side" in source.text for source in program.sources):
            return
        for function in program.functions:
            if "AutoModelForCausalLM" not in function.source.text:
                continue
            if not any(called_name(call) == "generate" for call in function.calls):
                continue
            for call in function.calls:
                if not _pads_a_batch(call) or not isinstance(call.func, ast.Name | ast.Attribute):
                    continue
                made = _made(call.func, function, program)
                if made is None:
                    continue
                home, statement = made
                name = ast.unparse(statement.targets[0])
                yield Finding(
                    self.name,
                    home.source.path,
                    statement.lineno,
                    home.name,
                    "Pad prompts on the left before a causal model goes on",
                    f"`{ast.unparse(call)[:70]}` pads prompts to one length, on the right by default, and `generate` then "
                    "continues after the padding.",
                    (home.insert(f'{name}.padding_side = "left"', "after", statement),),
                    confidence="medium",
                )
                break


def _pads_a_batch(call: ast.Call) -> bool:
    padding = keyword_of(call, "padding")
    if not isinstance(padding, ast.Constant) or padding.value not in (True, "longest", "max_length") or not call.args:
        return False
    given = call.args[0]
    if isinstance(given, ast.ListComp):
        return True
    if isinstance(given, ast.List):
        return len(given.elts) > 1
    return isinstance(given, ast.Name) and bool(_MANY & set(words(given.id)))


def _made(tokenizer: ast.expr, function: Function, program: Program) -> tuple[Function, ast.Assign] | None:
    """The statement that makes the tokenizer."""
    for value, home in program.values(tokenizer, function):
        if not isinstance(value, ast.Call) or value not in home.source.parents or not _is_tokenizer(value):
            continue
        statement = home.source.parents[value]
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            return home, statement
    return None


def _is_tokenizer(call: ast.Call) -> bool:
    return called_name(call) == "from_pretrained" and "Tokenizer" in ast.unparse(call.func)
