"""How much of a run's core seconds is spent inside target code, with two runs at a time.

    python benchmarks/utilisation.py [--quick]

Runs the real command, without a model, on a small project whose training is a fixed amount of work. From the ledger:
the wall seconds of all runs' commands, over two cores times the wall time from the first run's start to the last one's
end. Every run that was made counts once, calibration, confirmation and sealing included. `cpu_share` counts only CPU
seconds of the commands: on a machine that does nothing else the two are close. Last line on stdout: one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from projects.small import make_project, rounds_in

from branchlab.evals.ledger import Ledger
from branchlab.evals.trial import Run

JOBS = 2
QUICK = (1.0, 45)
FULL = (2.0, 180)
"""CPU seconds of one training, seconds of budget."""


def made(ledger: Ledger, run_id: str) -> list[Run]:
    """Every run that was really made, in the order of their starts: what one trial took over from another is left out."""
    runs = {run.started: run for trial in ledger.trials(run_id) for run in trial.runs}
    return [runs[start] for start in sorted(runs)]


def idle_gaps(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """(seconds after the first start, core seconds unused) of each second in which a core had nothing to do."""
    begin, end = runs[0].started, max(run.started + run.device_seconds for run in runs)
    gaps = []
    for second in range(int(end - begin) + 1):
        low, high = begin + second, min(begin + second + 1, end)
        used = sum(max(0.0, min(high, r.started + r.device_seconds) - max(low, r.started)) for r in runs)
        if (unused := JOBS * (high - low) - used) > 0.25:
            gaps.append((float(second), unused))
    return gaps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[1]} s of budget instead of {FULL[1]}")
    work, budget = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = make_project(folder / "project", rounds=rounds_in(work))
        words = ["--home", str(folder / "home"), "run", str(manifest), "--budget", f"{budget}s", "--jobs", str(JOBS)]
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "branchlab", *words], check=True, stdout=sys.stderr)
        whole = time.monotonic() - started
        ledger = Ledger.open(f"sqlite:///{folder / 'home' / 'ledger.db'}")
        (record,) = ledger.runs()
        runs = made(ledger, record.id)
        ledger.close()
    wall = max(run.started + run.device_seconds for run in runs) - runs[0].started
    inside = sum(run.device_seconds for run in runs)
    for second, unused in idle_gaps(runs):
        print(f"at {second:.0f} s: {unused:.2f} core seconds unused", file=sys.stderr)
    result = {
        "busy_share": inside / (JOBS * wall),
        "cpu_share": sum(run.cpu_seconds for run in runs) / (JOBS * wall),
        "runs": len(runs),
        "seconds_per_run": inside / len(runs),
        "wall_s": wall,
        "before_and_after_s": whole - wall,
        "load_average": os.getloadavg()[0],
        "cores": len(os.sched_getaffinity(0)),
    }
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


if __name__ == "__main__":
    main()
