"""Whether a model has a layer that acts differently in training and in evaluation."""

import ast

from .program import Program, called_name
from .source import Function, Source

NAMES = ("Dropout", "BatchNorm", "InstanceNorm", "AlphaDropout", "SyncBatchNorm", "DropPath", "TransformerEncoderLayer",
         "TransformerDecoderLayer", "Transformer")  # fmt: skip
FUNCTIONS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout")
READY_MADE = ("torchvision.models.", "timm.", "segmentation_models_pytorch.")


class ModeLayers:
    def __init__(self, program: Program) -> None:
        self._program = program

    def matter(self, model: ast.expr, function: Function) -> bool:
        """Whether the mode changes what the model answers; of a model that cannot be told, whether all of the program do."""
        made = [(v, f) for v, f in self._program.values(model, function) if isinstance(v, ast.Call)]
        for value, home in made:
            name = called_name(value)
            if name == "from_pretrained" or (name == "load" and "jit" in home.source.full(value.func)):
                return False
            if home.source.full(value.func).startswith(READY_MADE):
                return True
            found = self._program.find_class(name, home.source)
            if found is not None:
                return self._in_class(*found, set())
            if name == "Sequential":
                return self._in_tree(value, home.source, set())
        whole = self._program.whole_models
        return bool(whole) and all(self._in_class(node, source, set()) for node, source in whole)

    def _in_class(self, node: ast.ClassDef, source: Source, seen: set[str]) -> bool:
        if node.name in seen:
            return False
        seen.add(node.name)
        return self._in_tree(node, source, seen)

    def _in_tree(self, node: ast.AST, source: Source, seen: set[str]) -> bool:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                name = called_name(inner)
                if name.startswith(NAMES) or name in FUNCTIONS or source.full(inner.func).startswith(READY_MADE):
                    return True
                if any(k.arg is not None and "dropout" in k.arg and not _is_zero(k.value) for k in inner.keywords):
                    return True
            if isinstance(inner, ast.Name | ast.Attribute):
                # A class of the program that is used inside, a base included.
                found = self._program.find_class(source.full(inner), source)
                if found is not None and self._in_class(*found, seen):
                    return True
        return False


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value
