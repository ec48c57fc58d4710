"""For each operator a piece of code it applies to: what stands around that piece is made up by the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FIT = '''\
@logged( 1 )
def fit(model, loader):
    """One
  epoch."""
    # forward
    for x in loader :
        loss = loss_of( model(x) )
        loss.backward( )  # gradients
        text = """a
  b"""
    return loss
'''
PROMPT = '''\
def ask(question):
    text = """Answer the question.
Be brief.
Question: {question}
Answer:"""
    return text.format(question = question)
'''
MODEL = """\
class Auto( nn.Module ):
    def __init__(self, items, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(items, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.Linear(hidden, items))

    def forward(self, rows):
        return self.net( rows )
"""
TRAIN = """\
def train(model, rows, optimizer):
    # gradient descent
    for epoch in range( 3 ):
        for batch in rows :
            loss = ((model(batch) - batch) ** 2).mean()
            loss.backward( )
            optimizer.step()
    return model
"""
TORCH = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nRIDGE = 0.5\n"


@dataclass(frozen=True, slots=True)
class Case:
    """`code` holds one definition; `symbol` is the edit's, inside that definition or the definition itself."""

    code: str
    symbol: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    """Lines at the top of the module."""


CASES: dict[str, tuple[Case, ...]] = {
    "add_decorator": (Case(FIT, "fit", {"decorator": "torch.no_grad()"}),),
    "delete_statement": (Case(FIT, "fit", {"anchor": "loss.backward()"}),),
    "insert_statement": (
        Case(FIT, "fit", {"code": "model.train()\nstep( )  # one", "where": "first"}),
        Case(FIT, "fit", {"code": "print(loss)", "where": "last"}),
        Case(FIT, "fit", {"code": "opt.zero_grad()", "where": "before", "anchor": "loss.backward()"}),
        Case(FIT, "fit", {"code": "opt.step()\nlog()", "where": "after", "anchor": "for x in loader:"}),
    ),
    "move_statement": (
        Case(FIT, "fit", {"anchor": "loss.backward()", "where": "after", "to": "text = 'a\\n  b'"}),
        Case(FIT, "fit", {"anchor": "loss.backward()", "where": "before", "to": "return loss"}),
    ),
    "remove_argument": (Case(FIT, "fit", {"argument": "model(x)"}),),
    "replace_expression": (
        Case(FIT, "fit", {"old": "loss_of(model(x))", "new": "loss_of(model(x)).mean()"}),
        Case(FIT, "fit", {"old": "loader", "new": "batches", "nth": "all"}),
    ),
    "replace_function": (
        Case(FIT, "fit", {"code": "def fit(model, loader):\n    return model.fit(\n      loader)\n"}),
    ),
    "replace_statement": (
        Case(FIT, "fit", {"anchor": "loss.backward()", "code": "scale(loss).backward()"}),
        Case(FIT, "fit", {"anchor": "loss.backward()", "code": "check(loss)\nloss.backward()\nopt.step()"}),
    ),
    "set_keyword": (Case(FIT, "fit", {"call": "loss_of", "keyword": "reduction", "value": '"sum"'}),),
    "wrap_in_with": (Case(FIT, "fit", {"anchor": "for x in loader:", "context": "torch.no_grad()"}),),
    "set_literal": (Case("def train(dropout = 0.1):\n    return dropout\n", "train.dropout", {"value": "0.25"}),),
    "closed_form_model": (Case(MODEL, "Auto", {"width": "items", "ridge": "RIDGE"}, TORCH),),
    "closed_form_training": (Case(TRAIN, "train", {"model": "model", "target": "batch"}),),
    "corrupt_input": (Case(MODEL, "Auto.forward", {"input": "rows", "rate": "RIDGE"}, TORCH),),
    "multinomial_likelihood": (
        Case(
            TRAIN,
            "train",
            {"loss": "((model(batch) - batch) ** 2).mean()", "output": "model(batch)", "target": "batch"},
            TORCH,
        ),
    ),
    "remove_hidden_layers": (Case(MODEL, "Auto", {}, TORCH),),
    "add_instruction": (Case(PROMPT, "ask", {"phrase": "Be brief", "instruction": "Give one name."}),),
    "move_prompt_line": (
        Case(
            PROMPT,
            "ask",
            {"phrase": "Be brief", "line": "Be brief.", "anchor": "Question: {question}", "where": "after"},
        ),
    ),
}
"""Operators that change one definition."""

MODULE_CASES: dict[str, Case] = {
    "add_import": Case("", "", {"code": "import torch.nn.functional as functional"}),
    "add_constant": Case("", "", {"name": "CORRUPTION", "value": "0.5"}),
    "drop_constants": Case("", "", {"names": "UNREAD"}, "UNREAD = 3  # no reader\n"),
}
"""Operators that add lines to a module, or take lines out."""

TEXT_CASES: dict[str, tuple[str, Case]] = {
    "set_config_value": ("lr: 0.1  # rate\n", Case("", "lr", {"value": "0.2"})),
    "add_instruction_file": ("Answer:\n", Case("", "", {"instruction": "Give one name."})),
    "move_prompt_line_file": (
        "Be brief.\nQuestion: {question}\n",
        Case("", "", {"line": "Be brief.", "anchor": "Question: {question}", "where": "after"}),
    ),
}
"""Operators on files that are not Python, with the lines they need."""
