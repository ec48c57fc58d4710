"""What part each symbol plays in training: decided from the facts alone, so it is the same for `ast` and `cst`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from .code_map import Call, Role, Symbol
from .facts import FileFacts
from .imports import Modules
from .words import words

MODEL_BASES = frozenset({
    "torch.nn.Module", "torch.nn.Sequential", "keras.Model", "tensorflow.keras.Model", "flax.linen.Module",
    "equinox.Module", "pytorch_lightning.LightningModule", "lightning.LightningModule",
    "lightning.pytorch.LightningModule", "sklearn.base.BaseEstimator", "sklearn.base.ClassifierMixin",
    "sklearn.base.RegressorMixin", "transformers.PreTrainedModel",
})  # fmt: skip
DATA_BASES = frozenset({"Dataset", "IterableDataset", "TensorDataset", "LightningDataModule", "Sampler"})
DATA_CALLS = frozenset({
    "DataLoader", "TensorDataset", "train_test_split", "random_split", "read_csv", "read_parquet", "load_dataset",
    "fetch_openml", "loadtxt", "genfromtxt", "image_dataset_from_directory",
})  # fmt: skip
ESTIMATOR_PACKAGES = (
    "sklearn.linear_model.", "sklearn.ensemble.", "sklearn.svm.", "sklearn.neighbors.", "sklearn.tree.",
    "sklearn.naive_bayes.", "sklearn.neural_network.", "sklearn.pipeline.", "sklearn.gaussian_process.",
    "sklearn.discriminant_analysis.", "xgboost.", "lightgbm.", "catboost.",
)  # fmt: skip
MODEL_CALLS = frozenset({"torch.nn.Sequential", "keras.Sequential", "tensorflow.keras.Sequential"})
OPTIMIZER_PACKAGES = ("torch.optim.", "optax.", "keras.optimizers.", "tensorflow.keras.optimizers.")
LOSS_WORDS = frozenset({"loss", "criterion", "losses"})
LOSS_CALLS = frozenset({"cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"})
EVALUATION_WORDS = frozenset(
    "eval evaluate evaluation evaluator validate validation test score metric metrics accuracy auc recall ndcg".split()
)
EVALUATION_FILES = frozenset({"evaluate", "evaluation", "eval", "metric", "metrics", "scoring", "evaluator"})
"""A file called so measures, whatever its functions are called."""
NOT_MODELS = frozenset(
    {"scaler", "encoder", "tokenizer", "vectorizer", "pca", "imputer", "transformer", "preprocessor"}
)


def with_roles(facts: Sequence[FileFacts], modules: Modules) -> tuple[Symbol, ...]:
    """Every symbol of `facts`, roles filled in; a script whose top-level code has a role adds a `module` symbol."""
    models = _model_classes(facts, modules)
    symbols: list[Symbol] = []
    for one in facts:
        calls = defaultdict(list)
        for call in one.calls:
            calls[call.caller].append(call)
        for symbol in one.symbols:
            symbols.append(replace(symbol, roles=_roles(symbol, one, models, _calls_of(symbol, calls))))
        if script := _script(one, calls[""]):
            symbols.append(script)
    return tuple(symbols)


def _calls_of(symbol: Symbol, calls: Mapping[str, list[Call]]) -> list[Call]:
    if symbol.kind == "constant":  # `model = Sequential(...)`: the calls of its own lines
        return [call for call in calls[""] if symbol.line <= call.line <= symbol.end_line]
    return calls[symbol.name]


def _roles(symbol: Symbol, facts: FileFacts, models: frozenset[str], calls: Sequence[Call]) -> frozenset[Role]:
    if symbol.kind == "class":
        return _class_roles(symbol, facts, models)
    roles = {role for call in calls if (role := _call_role(call)) and _makes(symbol, role)}
    name = set(words(symbol.name.rpartition(".")[2]))
    if symbol.kind == "function":
        roles |= _function_roles(name - {"test"} if is_test(facts.file) else name, calls)
        if EVALUATION_FILES & set(words(facts.file.rpartition("/")[2])) and "training_step" not in roles:
            roles.add("evaluation")
        if _makes_model(symbol, name, facts.file, models, calls):
            roles.add("model")
    elif any(f"{facts.file}::{call.callee}" in models or _is_estimator(call) for call in calls):
        roles.add("model")
    return frozenset(roles)


def _class_roles(symbol: Symbol, facts: FileFacts, models: frozenset[str]) -> frozenset[Role]:
    bases = facts.bases.get(symbol.name, ())
    if LOSS_WORDS & set(words(symbol.name)) or any(base.endswith("Loss") for base in bases):
        return frozenset({"loss"})
    if any(base.rpartition(".")[2] in DATA_BASES for base in bases):
        return frozenset({"data"})
    if any("optim" in base.lower() for base in bases):
        return frozenset({"optimizer"})
    return frozenset({"model"}) if f"{facts.file}::{symbol.name}" in models else frozenset()


def _call_role(call: Call) -> Role | None:
    last = call.callee.rpartition(".")[2]
    if call.callee.startswith(OPTIMIZER_PACKAGES) and "scheduler" not in call.callee and last[:1].isupper():
        return "optimizer"
    if (last.endswith("Loss") and last[:1].isupper()) or last in LOSS_CALLS or last.endswith("_loss"):
        return "loss"
    if last in DATA_CALLS or call.callee.startswith(("sklearn.datasets.", "torchvision.datasets.")):
        return "data"
    if call.callee.startswith(("sklearn.metrics.", "torchmetrics.")):
        return "evaluation"
    return None


def _makes(symbol: Symbol, role: Role) -> bool:
    """A constant is what it is made of; a function may well do more than one thing."""
    return symbol.kind == "function" or role != "evaluation"


def _function_roles(name: set[str], calls: Sequence[Call]) -> set[Role]:
    roles: set[Role] = set()
    if trains(calls) or {"training", "step"} <= name:
        roles.add("training_step")
    if name & EVALUATION_WORDS or ("valid" in name and "is" not in name):
        roles.add("evaluation")
    if name & LOSS_WORDS:
        roles.add("loss")
    if "optimizer" in name or "optimizers" in name:
        roles.add("optimizer")
    if name & {"dataset", "datasets", "dataloader", "dataloaders", "loaders", "data"}:
        roles.add("data")
    return roles


def is_test(file: str) -> bool:
    """Whether a file belongs to the tests of the repository, going by its place and name."""
    *folders, name = file.split("/")
    return bool({"test", "tests"} & set(folders)) or name.startswith("test_") or name == "conftest.py"


def trains(calls: Iterable[Call]) -> bool:
    """Whether these calls take an optimizer step after a backward pass, or fit an estimator."""
    calls = list(calls)
    last = [call.callee.rpartition(".") for call in calls]
    names = {name for _, _, name in last}
    # `zero_grad` without `step`: parameters updated by hand. `optimizer.step(closure)`: the backward pass is in there.
    if ("backward" in names and names & {"step", "zero_grad"}) or names & {"GradientTape", "value_and_grad"}:
        return True
    if any(call.positional and "optim" in call.callee and call.callee.endswith(".step") for call in calls):
        return True
    return any(
        name in {"fit", "train_on_batch", "partial_fit"}
        and dot
        and owner not in {"self", "super()"}
        and not NOT_MODELS & set(words(owner))
        for owner, dot, name in last
    )


def _makes_model(symbol: Symbol, name: set[str], file: str, models: frozenset[str], calls: Sequence[Call]) -> bool:
    if not name & {"model", "models", "net", "network", "classifier", "regressor", "estimator", "pipeline"}:
        return False
    return any(
        call.callee.rpartition(".")[2] in _class_names(models) or call.callee in MODEL_CALLS or _is_estimator(call)
        for call in calls
    )


@lru_cache(maxsize=4)
def _class_names(models: frozenset[str]) -> frozenset[str]:
    """Names without their files; asked for every function of a repository, and the same for all of them."""
    return frozenset(key.partition("::")[2] for key in models)


def _is_estimator(call: Call) -> bool:
    last = call.callee.rpartition(".")[2]
    return call.callee in MODEL_CALLS or (call.callee.startswith(ESTIMATOR_PACKAGES) and last[:1].isupper())


def _script(facts: FileFacts, calls: Sequence[Call]) -> Symbol | None:
    roles = {role for call in calls if (role := _call_role(call))}
    if trains(calls):
        roles.add("training_step")
    if not roles:
        return None
    last = max(call.line for call in calls)
    return Symbol("", "module", facts.file, 1, last, facts.file, frozenset(roles), facts.source)


def _model_classes(facts: Sequence[FileFacts], modules: Modules) -> frozenset[str]:
    """`FILE::NAME` of every class that is a model by its bases, through classes of the repository, or by its methods."""
    found = {f"{one.file}::{name}" for one in facts for name, bases in one.bases.items() if MODEL_BASES & set(bases)}
    for one in facts:
        methods = {symbol.name for symbol in one.symbols if symbol.kind == "function"}
        found |= {
            f"{one.file}::{name}"
            for name in one.bases
            if f"{name}.fit" in methods and (f"{name}.predict" in methods or f"{name}.recommend" in methods)
        }
    while True:
        heirs = {
            f"{one.file}::{name}"
            for one in facts
            for name, bases in one.bases.items()
            if any(_class_key(base, one.file, modules) in found for base in bases)
        }
        if heirs <= found:
            return frozenset(found)
        found |= heirs


def _class_key(base: str, file: str, modules: Modules) -> str:
    module, dot, name = base.rpartition(".")
    home = modules.file_of(module, file) if dot else file
    return f"{home}::{name}"
