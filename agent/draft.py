"""Drafts a target.toml from what was read, and says in comments what it is sure of and what a person must check."""

import json
import sys
from collections.abc import Iterator, Sequence

from ..targets.scope import matches
from ..targets.target import ALWAYS_PROTECTED
from .code_map import CodeMap, Role
from .configs.text import READERS
from .draft_entry import OUT, SEED, Entry, find_entry
from .draft_environment import environment_lines
from .draft_metric import DraftedMetric, find_metrics
from .exclusions import SEEDS
from .imports import Modules
from .literals import sites_in
from .roles import is_test
from .words import said, words

DOWNLOADS = frozenset(
    {"urlretrieve", "urlopen", "load_dataset", "from_pretrained", "fetch_openml", "download", "hf_hub_download"}
)
WRITERS = frozenset(
    {
        "save",
        "savez",
        "dump",
        "to_csv",
        "savefig",
        "save_image",
        "imsave",
        "imwrite",
        "to_parquet",
        "to_pickle",
        "to_json",
        "save_pretrained",
        "makedirs",
        "mkdir",
        "SummaryWriter",
        "write_text",
        "write_bytes",
    }
)
CLI_OVERRIDES = frozenset({"merge_from_args", "from_cli"})


def draft_target(code: CodeMap, name: str, repo: str, commit: str) -> str:
    """The text of a target.toml for the repository: it validates, and its comments say what to check.

    Raises:
        UsageError: no Python files, or no script that trains.
    """
    entry = find_entry(code)
    metrics = find_metrics(code, entry.closure)
    train, train_notes = _train(code, entry)
    best = _chosen(metrics, has_out=any("{out}" in word for word in train))
    editable, protected, scope_notes = _scope(code, entry, best)
    lines = [
        "# Drafted from the code alone; nothing was run. SURE: read in the code. CHECK: a guess that you must look at.",
        "",
        f"name = {_text(name)}",
        f"repo = {_text(repo)}",
        f"commit = {_text(commit)}",
        'budget = "30m"  # CHECK: for all arms together; `branchlab run --budget` overrides it',
        "",
        *(f"# {note}" for note in scope_notes),
        f"editable = {_list(editable)}",
        f"protected = {_list(protected)}",
        "",
        "[steps]",
        *(f"# {note}" for note in train_notes),
        f"train = {_list(train)}",
        "# With train alone the candidate's own process reports its metric, and every table says `integrity: same-process`.",
        "# Better: add `predict` and `score` steps and three [splits], so that labels and metric are out of its reach.",
        "",
        *_metric_lines(best, metrics),
        "",
        *_rest(code, entry, has_out=any("{out}" in word for word in train)),
    ]
    return "\n".join(lines) + "\n"


def _train(code: CodeMap, entry: Entry) -> tuple[list[str], list[str]]:
    """The training command, and what is sure about it."""
    command = ["python", entry.file]
    notes = [f"SURE: {entry.file} trains when it is run."]
    if entry.others:
        notes.append(f"CHECK: these train too: {', '.join(entry.others)}.")
    seed, out = entry.option(SEED), entry.option(OUT)
    if seed:
        command += [seed.options[0], "{seed}"]
        notes.append(f"SURE: the script has an option {seed.options[0]}. CHECK: that it seeds everything random.")
    elif assignment := _override(code, entry, SEED):
        command.append(f"--{assignment}={{seed}}")
        notes.append(
            f"CHECK: the command line seems to override settings of the code; the seed goes in as {assignment}."
        )
    else:
        notes += _no_seed(code, entry)
    if out:
        command += [out.options[0], "{out}/" + out.file_name if out.file_name else "{out}"]
        notes.append(f"SURE: the script has an option {out.options[0]}. CHECK: that everything it writes goes there.")
    elif assignment := _override(code, entry, OUT):
        # `literal_eval` would choke on a bare path.
        evaluated = any(c.callee.endswith("literal_eval") for c in code.calls if c.file in entry.closure)
        command.append(f"--{assignment}='{{out}}'" if evaluated else f"--{assignment}={{out}}")
    missing = [option for option in entry.required if option not in command]
    if missing:
        notes.append(f"CHECK: the script wants a value for {', '.join(missing)}; add it to `train`.")
    notes.append(
        "CHECK: the run has to end by itself; a short one (epochs, steps) buys more trials for the same budget."
    )
    return command, notes


def _override(code: CodeMap, entry: Entry, phrases: frozenset[str]) -> str | None:
    """`system.seed`, where the code sets `C.system.seed = 1` and merges the command line into such settings."""
    last = {call.callee.rpartition(".")[2] for call in code.calls if call.file in entry.closure}
    if not last & CLI_OVERRIDES:
        return None
    for file in entry.closure:
        for site in sites_in(code.module(file)):
            local = site.key.removeprefix(f"{site.scope}.") if site.scope else site.key
            if site.place == "attribute" and said(words(site.name), phrases):
                return local.partition(".")[2]
    return None


def _no_seed(code: CodeMap, entry: Entry) -> list[str]:
    fixed = [
        f"{file}: {site.key} = {site.value}"
        for file in entry.closure
        for site in sites_in(code.module(file))
        if said(words(site.name), SEEDS)
    ]
    seeding = [call for call in code.calls if call.file in entry.closure and "seed" in call.callee.rpartition(".")[2]]
    if fixed or seeding:
        place = fixed[0] if fixed else f"{seeding[0].file}:{seeding[0].line} ({seeding[0].callee})"
        return [
            f"CHECK: no seed option; the code fixes the seed itself ({place}). Every run is then the same run: repeats show",
            "no noise, and a gain may be the luck of that one seed. Let the script take it: sys.argv or an environment variable.",
        ]
    return [
        "CHECK: no seed option, and nothing seeds the random numbers: runs differ by luck only, and the arms cannot share",
        "seeds. Differences are still compared over repeats, with wider intervals. A `--seed` option would narrow them.",
    ]


def _chosen(metrics: Sequence[DraftedMetric], *, has_out: bool) -> DraftedMetric | None:
    """The best one that can be had: a file is found only where the script is told the folder to write to."""
    usable = [metric for metric in metrics if metric.stdout or has_out]
    return usable[0] if usable else None


def _metric_lines(best: DraftedMetric | None, metrics: Sequence[DraftedMetric]) -> list[str]:
    lines = ["[metric]"]
    if best is None:
        return [
            *lines,
            '# CHECK: NO METRIC WAS FOUND. Without one no run gets a score. Write {"NAME": NUMBER} to {out}/metrics.json,',
            "# or print it and give a regular expression with one group as `stdout`.",
            'name = "metric"',
            'direction = "maximize"',
            'stdout = "^metric: ([-+0-9.e]+)$"',
        ]
    how = f"written to {best.file}" if best.file else "printed; the last line that matches counts"
    lines.append(
        f"# SURE: {best.where} reports it ({how}). CHECK: the direction, and that it is measured on held-out data."
    )
    if best.rank < 0:
        lines.append(
            "# CHECK: this looks like a TRAINING metric: it says nothing about new data. Have the script report another."
        )
    lines += [f"# CHECK: {note}" for note in best.notes]
    others = list(
        dict.fromkeys(f"{m.name} ({m.where})" for m in metrics if m.where != best.where or m.name != best.name)
    )
    if others:
        lines.append(f"# Others found: {', '.join(others[:6])}")
    lines += [f"name = {_text(best.name)}", f"direction = {_text(best.direction)}"]
    lines.append(f"file = {_text(best.file)}" if best.file else f"stdout = {_text(best.stdout or '')}")
    return lines


def _scope(code: CodeMap, entry: Entry, metric: DraftedMetric | None) -> tuple[list[str], list[str], list[str]]:
    """Editable files, protected files, and what to say about them."""
    training: tuple[Role, ...] = ("training_step", "model", "optimizer")
    working = {symbol.file for role in training for symbol in code.with_role(role)}
    evaluators = {symbol.file for symbol in code.with_role("evaluation")}
    judging = [f for f in code.python_files if f in evaluators and f not in working and f != entry.file]
    tests = [file for file in code.sources if file.endswith(".py") and is_test(file)]
    protected = sorted({*judging, *tests})
    names = b"\n".join(code.sources[file] for file in entry.closure)
    configs = [f for f in code.sources if f.endswith(tuple(READERS)) and f.rpartition("/")[2].encode() in names]
    prompts = [prompt.file for prompt in code.prompts if not prompt.file.endswith(".py")]
    wanted = dict.fromkeys([*entry.closure, *sorted(configs), *sorted(prompts)])
    editable = [f for f in wanted if f not in protected and not matches(f, ALWAYS_PROTECTED)] or [entry.file]
    notes = ["SURE: training reaches the editable files. CHECK: what else must not change."]
    if judging:
        notes.append(f"SURE: {', '.join(judging)} measure and do not train; no candidate may touch them.")
    mixed = sorted(evaluators & set(editable))
    if mixed:
        notes.append(
            f"CHECK: evaluation stands beside training in {', '.join(mixed)}: a candidate could change how it is judged."
        )
        notes.append("Moving that code to a file of its own, and naming it under protected, closes the door.")
    if metric and metric.where.partition(":")[0] in editable and not mixed:
        notes.append(f"CHECK: the metric is reported by {metric.where}, which a candidate may edit.")
    return editable, protected, notes


def _rest(code: CodeMap, entry: Entry, *, has_out: bool) -> Iterator[str]:
    yield from (
        "[seeds]",
        "search = [0, 1]",
        "confirm = [100, 101, 102, 103, 104, 105, 106, 107]  # with eight, up to four winners can be told from luck together",
        "",
    )
    yield from (
        "[limits]",
        'timeout = "10m"  # CHECK: of one run; give it three times what a run takes here',
        "memory_mb = 4096",
        "threads = 1",
    )
    if any(b"cuda" in code.sources[file] for file in entry.closure):
        yield "gpu = false  # CHECK: the code knows CUDA; set true where a GPU is to be used"
    yield from ("", "[environment]")
    yield from environment_lines(_foreign_packages(code, entry), code.sources)
    for call in code.calls:
        downloads = (
            call.callee.rpartition(".")[2] in DOWNLOADS
            or call.callee == "requests.get"
            or call.keywords.get("download") == "True"
        )
        if call.file in entry.closure and downloads:
            yield f"# CHECK: {call.file}:{call.line} may download ({call.callee}); a run has no network: fetch it beforehand."
    if folders := _import_folders(code, entry):
        yield f"path = {_list(folders)}  # SURE: {entry.file} imports from there"
    if not has_out and any(
        call.callee.rpartition(".")[2] in WRITERS for call in code.calls if call.file in entry.closure
    ):
        yield "writable_tree = true  # SURE: the code writes files, and no option says where"


def _foreign_packages(code: CodeMap, entry: Entry) -> list[str]:
    modules = Modules(code.python_files)
    heads = {
        imported.module.partition(".")[0]
        for imported in code.imports
        if imported.file in entry.closure and not modules.reached_by(imported)
    }
    return sorted(head for head in heads if head and head not in sys.stdlib_module_names)


def _import_folders(code: CodeMap, entry: Entry) -> list[str]:
    """Folders that have to be on PYTHONPATH: the script stands elsewhere than the packages it imports."""
    home = entry.file.rpartition("/")[0]
    folders: dict[str, None] = {}
    for imported in code.imports:
        if imported.file != entry.file:
            continue
        path = imported.module.replace(".", "/")
        for root in ("", "src"):
            base = f"{root}/{path}" if root else path
            beside = {f"{home}/{path}.py", f"{home}/{path}/__init__.py"} if home else set()
            if (
                root != home
                and {f"{base}.py", f"{base}/__init__.py"} & code.sources.keys()
                and not beside & code.sources.keys()
            ):
                folders[root or "."] = None
    return list(folders) if home or "src" in folders else []


def _text(value: str) -> str:
    """A TOML string: JSON's is one, once the characters TOML forbids are escaped."""
    return json.dumps(value, ensure_ascii=True)


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"
