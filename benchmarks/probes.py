"""Whether probes say what is so, and what they cost.

    python benchmarks/probes.py [--quick]

`verdicts_matched` of `verdicts_expected`: small torch projects with a planted defect and with a clean twin that reads much
like it, each probed in a sandbox of its own. `probe_share`: device seconds of probing all findings of the shipped target
digits_faulty, as a share of the device seconds of one of its trainings; both start warm. Without --quick the share is the
median of five. Last line on stdout: one JSON object.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from projects.probed import Case, cases

from branchlab.agent.probes.base import Probed
from branchlab.agent.probes.reader import Reader
from branchlab.agent.probes.running import Bench, probe_findings
from branchlab.agent.proposers.defects import Program, find_defects
from branchlab.agent.read import read_code
from branchlab.agent.read_commit import read_commit
from branchlab.sandbox import backends, environments
from branchlab.sandbox.runner import Limits, Runner, RunRequest
from branchlab.targets.checkout import Checkout
from branchlab.targets.find import find_target

PRELOAD = ("numpy", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one training instead of five")
    repeats = 1 if parser.parse_args().quick else 5
    runner = backends.choose("auto")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        expected = list(cases())
        matched = sum(agrees(case, runner, folder / str(number)) for number, case in enumerate(expected))
        shares = [share(runner, folder / f"share-{number}") for number in range(repeats)]
    result = {
        "probe_share": round(statistics.median(probes / training for probes, training in shares), 3),
        "probe_s": round(statistics.median(probes for probes, _ in shares), 3),
        "training_s": round(statistics.median(training for _, training in shares), 3),
        "verdicts_expected": len(expected),
        "verdicts_matched": matched,
    }
    print(json.dumps(result))


def agrees(case: Case, runner: Runner, folder: Path) -> bool:
    found = probe_case(case, runner, folder)
    agreed = found.verdict == case.expected
    print(f"{'   ' if agreed else 'NO '}{case.name}: {found.verdict}, {found.reason}", file=sys.stderr)
    return agreed


def probe_case(case: Case, runner: Runner, folder: Path) -> Probed:
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for path, text in case.files.items():
        (tree / path).write_text(text)
    code = read_code("0" * 40, {path: text.encode() for path, text in case.files.items()})
    bench = Bench(runner, environments.find(), tree, folder / "scratch", preload=PRELOAD)
    return probe_findings([case.finding], Reader(Program.of(code)), bench).probed[0]


def share(runner: Runner, home: Path) -> tuple[float, float]:
    """Device seconds of the probes of digits_faulty, and of one of its trainings."""
    home.mkdir()
    target = find_target("digits_faulty", home)
    checkout = Checkout.open(target, home)
    try:
        code = read_commit(checkout, checkout.base, target)
        tree, out = home / "tree", home / "out"
        checkout.materialise(checkout.base, tree, leave_out=target.hidden)
    finally:
        checkout.close()
    out.mkdir()
    interpreter = environments.find(target.environment.python, target.environment.hide)
    data = (target.home / str(target.data)).resolve()
    argv = tuple(word.replace("{seed}", "0") for word in target.steps.train)
    limits = Limits(wall_seconds=120)
    warm = RunRequest(("python", "-c", "pass"), interpreter, tree, out, limits, preload=PRELOAD)
    runner.run(warm)  # the server that both start from
    training = runner.run(RunRequest(argv, interpreter, tree, out, limits, {"data": data}, preload=PRELOAD))
    assert training.status == "ok", training
    reader = Reader(Program.of(code), target.environment.path, target.steps.train)
    bench = Bench(runner, interpreter, tree, home / "scratch", preload=PRELOAD)
    return probe_findings(find_defects(code), reader, bench).seconds, training.device_seconds


if __name__ == "__main__":
    main()
