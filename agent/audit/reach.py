"""What makes the number, within reach of what is judged by it.

Silent: a score step of its own whose files are not editable and that imports nothing a candidate may change.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ..tuning_scope import is_editable
from .base import AuditFinding
from .scene import Scene


@dataclass(frozen=True, slots=True)
class EvaluatorInReach:
    name: str = "evaluator_in_reach"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        if not scene.separate:
            yield self._same_process(scene)
            return
        own = scene.entries("score")
        for file in scene.files("score"):
            if not is_editable(file, scene.target):
                continue
            if file in own:
                title = f"The evaluator `{file}` is editable, and not in `protected`"
                why = "Scores are taken with the base commit's copy, so an edit of it changes nothing here, and changes what " \
                      "the number means once it is merged."  # fmt: skip
                advice = f'Add "{file}" to `protected` and take it out of `editable`.'
            else:
                title = f"The evaluator imports `{file}`, which candidates may change"
                why = "Scores are taken with the base commit's copy of it: a candidate that changes it predicts by one version " \
                      "and is scored by another, and once merged the number means something else."  # fmt: skip
                advice = f'Keep what the evaluator needs in a file of its own, or add "{file}" to `protected`.'
            yield AuditFinding(self.name, "low", file, 1, title, why, advice)

    def _same_process(self, scene: Scene) -> AuditFinding:
        editable = [f for f in dict.fromkeys(f.source.path for f in scene.evaluator) if is_editable(f, scene.target)]
        where = f", and its code ({', '.join(editable[:3])}) is editable" if editable else ""
        return AuditFinding(
            self.name, "high", "target.toml", scene.manifest_line("[steps]", "train"),
            f"The code under study reports its own metric{where}",
            "A candidate runs in the process that writes the number, and can write any number it likes.",
            "Split the command into train, predict and score, with [splits] of inputs and labels: see targets/target.py.",
        )  # fmt: skip
