"""Gold labels read on the way to a prediction.

    prompt = build_prompt(qa["question"], qa["answer"])      the model is told what it is asked for
    truth = np.load("data/test_labels.npz")                  the prediction step opens the answers

Silent: answers kept beside the prediction for a later evaluation, worked examples in a prompt, a judge that is shown the
gold answer, labels given to a model for its loss, a field of what the model itself returned.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..proposers.defects.program import called_name, receiver
from ..proposers.defects.source import Function, words
from .base import AuditFinding
from .scene import Scene, names_in, texts_in

_GOLD = frozenset({"label", "labels", "gold", "golds", "answer", "answers", "ground_truth", "groundtruth", "gold_answer",
                   "gold_answers", "adversarial_answer", "correct_answer", "target", "targets", "y_true", "reference",
                   "references", "gold_label", "expected_answer"})  # fmt: skip
_MADE_BY_A_MODEL = frozenset("result results response output outputs out pred preds prediction predictions reply completion "
                             "parsed message msg generated model cfg config args".split())  # fmt: skip
_SHOWN_AS_EXAMPLES = frozenset("shot shots few demo demos demonstration exemplar exemplars train training support icl "
                               "history".split())  # fmt: skip
_JUDGES = frozenset("judge grade grader grading eval evaluate evaluation evaluator score scorer scoring metric metrics check "
                    "verify correct compare match accuracy loss f1 train fit".split())  # fmt: skip
_ASKS = frozenset({"predict", "predict_proba", "generate", "complete", "completion", "chat", "answer", "ask", "respond",
                   "infer", "invoke", "retrieve", "search", "generate_answer", "get_answer", "answer_question"})  # fmt: skip
_OPENS = frozenset(
    {"open", "load", "read_csv", "read_json", "loadtxt", "read_text", "read_bytes", "read_parquet", "Path"}
)
_HELD_OUT = frozenset("test val valid validation dev eval holdout search confirm sealed".split())
_TRUTH = frozenset("label labels gold answer answers truth".split())
_NAMES_OF_CLASSES = frozenset("map mapping names classes encoder vocab list".split())


@dataclass(frozen=True, slots=True)
class GoldLabels:
    name: str = "gold_labels_in_prediction"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        for function in scene.prediction:
            if not _JUDGES & function.words:
                yield from self._told(function)
            if scene.separate:
                yield from self._opened(function, scene)

    def _told(self, function: Function) -> Iterator[AuditFinding]:
        gold = {name for node in function.own if (name := _named_after_gold(node))}
        for call in function.calls:
            if not _is_asked(call):
                continue
            for argument in [
                *call.args,
                *(k.value for k in call.keywords if k.arg not in ("labels", "label", "targets")),
            ]:
                if (what := _gold_in(argument)) or (gold & names_in(argument) and not isinstance(argument, ast.Lambda)):
                    yield AuditFinding(
                        self.name, "high", function.source.path, call.lineno,
                        f"`{ast.unparse(call.func)[:60]}` is given the gold answer{f' {what}' if what else ''}",
                        "What predicts can read the answer it is scored on: its score says nothing about new examples.",
                        "Take the gold field out of what the model, the prompt or the retrieval is given.",
                    )  # fmt: skip
                    break

    def _opened(self, function: Function, scene: Scene) -> Iterator[AuditFinding]:
        for call in function.calls:
            if called_name(call) not in _OPENS:
                continue
            for text in (text for argument in call.args for text in texts_in(argument)):
                said = frozenset(re.findall(r"[a-z]+", text.lower()))
                if (
                    re.search(r"\.\w{2,7}$", text)
                    and said & _HELD_OUT
                    and said & _TRUTH
                    and not said & _NAMES_OF_CLASSES
                ):
                    there = any(file == text or file.endswith(f"/{text}") for file in scene.code.sources)
                    yield AuditFinding(
                        self.name, "high" if there else "low", function.source.path, call.lineno,
                        f"The prediction step opens `{text[:80]}`, which is called after held-out answers",
                        "A prediction that reads the answers of the split it is scored on is worth nothing"
                        + ("; the file is in the repository." if there else "; in the sandbox the file is not there."),
                        "Take the file out of the repository or list it in `hidden`, and do not read it to predict.",
                    )  # fmt: skip


def _named_after_gold(node: ast.AST) -> str:
    """The name that is assigned a gold field, and nothing else."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _field(value):
            return name
    return ""


def _gold_in(node: ast.AST) -> str:
    """The first gold field read below a node, as it is written; empty when there is none."""
    return next((ast.unparse(inner)[:60] for inner in ast.walk(node) if _field(inner)), "")


def _field(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
            pass
        case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            pass
        case _:
            return False
    said = {word for name in names_in(owner) for word in words(name)}
    return key.lower() in _GOLD and bool(said) and not said & (_MADE_BY_A_MODEL | _SHOWN_AS_EXAMPLES)


def _is_asked(call: ast.Call) -> bool:
    """Whether a call asks a model, or writes what a model is asked."""
    owner = receiver(call)
    said = set(words(ast.unparse(owner))) if isinstance(owner, ast.Name | ast.Attribute) else set()
    if said & _JUDGES or set(words(called_name(call))) & (_JUDGES | _SHOWN_AS_EXAMPLES):
        return False
    if called_name(call) == "format":
        return bool({"prompt", "template", "question", "query", "instruction"} & said)
    if owner is not None and set(words(ast.unparse(owner))) & {"re", "index", "string"}:
        return False
    return called_name(call) in _ASKS or "prompt" in words(called_name(call))
