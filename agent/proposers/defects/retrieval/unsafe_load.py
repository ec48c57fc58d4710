"""What was fetched from elsewhere is loaded by something that runs code which stands in it.

Why it hurts: whoever can write the file, or stand between, runs what they like with your rights, on the machine that holds the data
and the keys. Source: rule TOR102 of TorchFix; the pickle rules of Trail of Bits; PyTorch 2.6, which made `weights_only=True` the
default.

    before                                                      after
        yaml.load(text, Loader=yaml.Loader)                         yaml.safe_load(text)
        torch.load(hf_hub_download(repo, "model.pt"),               torch.load(hf_hub_download(repo, "model.pt"),
                   weights_only=False)                                         weights_only=True)

Silent: safe loaders, and pickles of one's own making: only what is seen to be downloaded counts.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function

_FETCHES = frozenset({"hf_hub_download", "snapshot_download", "cached_download", "urlopen", "urlretrieve", "download_url",
                      "download_url_to_file", "cached_path"})  # fmt: skip
_UNPICKLES = frozenset({"pickle.load", "pickle.loads", "joblib.load", "dill.load", "dill.loads", "cloudpickle.load",
                        "cloudpickle.loads", "pandas.read_pickle"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnsafeLoad:
    name: str = "unsafe_load"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                how = _how(call, function, program)
                if how:
                    yield Finding(
                        self.name, function.source.path, call.lineno, function.name, "Load plain data with a loader that runs nothing",
                        f"`{ast.unparse(call)[:80]}` {how}.", _edits(call, function), effect="visibility",
                        confidence="high",
                    )  # fmt: skip


def _how(call: ast.Call, function: Function, program: Program) -> str:
    full = function.source.full(call.func)
    if full == "yaml.load" and call.args:
        loader = keyword_of(call, "Loader") or (call.args[1] if len(call.args) > 1 else None)
        name = ast.unparse(loader).rpartition(".")[2] if loader is not None else ""
        return "builds any Python object that the text names" if name in ("Loader", "UnsafeLoader", "CLoader") else ""
    only = keyword_of(call, "weights_only")
    trusting = full == "torch.load" and isinstance(only, ast.Constant) and only.value is False
    if call.args and (trusting or full in _UNPICKLES) and _is_fetched(call.args[0], function, program):
        return "runs code that stands in a file from elsewhere"
    return ""


def _is_fetched(node: ast.expr, function: Function, program: Program) -> bool:
    """Whether a call that downloads gave this path or these bytes."""
    for value, home in program.values(node, function, 3):
        for inner in ast.walk(value):
            if isinstance(inner, ast.Call):
                full = home.source.full(inner.func)
                if called_name(inner) in _FETCHES or full in ("requests.get", "httpx.get"):
                    return True
    return False


def _edits(call: ast.Call, function: Function) -> tuple[Edit, ...]:
    full = function.source.full(call.func)
    if full == "yaml.load" and isinstance(call.func, ast.Attribute):
        new = f"{ast.unparse(call.func.value)}.safe_load({function.source.segment(call.args[0])})"
        return (function.replace(call, new),)
    if full == "torch.load":
        return (function.edit("set_keyword", call=ast.unparse(call), keyword="weights_only", value="True"),)
    return ()
