"""A real null campaign: candidates that draw random numbers nobody uses, trained, judged and confirmed like any other.

    python benchmarks/null_campaign.py [--quick] [TARGET] [--budget 20m]

Each candidate puts one `torch.rand(k)` after the seed is set: the same training, from another state of the generator. None is
better than the code it was made from, so whatever is accepted is accepted falsely. Last line on stdout: one JSON object.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from branchlab.agent import session
from branchlab.agent.lab import Options
from branchlab.agent.live import make_view
from branchlab.evals.compare import compare
from branchlab.evals.ledger import Ledger
from branchlab.targets.target import duration

CANDIDATES, QUICK = 50, 4
AT_ONCE = 4
"""A language model is asked for so many at a time."""


def idea(number: int) -> dict[str, object]:
    arguments = {"where": "after", "anchor": "torch.manual_seed(args.seed)", "code": f"torch.rand({number})"}
    edit = {"operator": "insert_statement", "file": "train.py", "symbol": "main", "arguments": arguments}
    why = "A null candidate: another state of the generator and nothing else."
    return {"kind": "bug_fix", "title": f"Draw {number} numbers nobody uses", "rationale": why, "edits": [edit]}


def answers(count: int) -> list[dict[str, object]]:
    ideas = [idea(number) for number in range(1, count + 1)]
    asked = [{"proposals": ideas[first : first + AT_ONCE]} for first in range(0, count, AT_ONCE)]
    return [*asked, *[{"proposals": []} for _ in range(40)]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", default="digits_clean")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} candidates")
    parser.add_argument("--budget", help="wall time on two slots")
    asked = parser.parse_args()
    count = QUICK if asked.quick else CANDIDATES
    budget = float(str(duration(asked.budget or ("45s" if asked.quick else "15m"))))
    session.structured_proposers = tuple  # no real ideas: they may be better
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir()
        script = Path(name) / "answers.json"
        script.write_text(json.dumps(answers(count)), encoding="utf-8")
        options = Options(budget, jobs=2, model=f"scripted:{script}", arms=("edits",))
        with make_view(json=False) as view:
            _, run_id = session.start_run(asked.target, options, home, view)
        ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}")
        print(json.dumps(summary(ledger, run_id)))
        ledger.close()


def summary(ledger: Ledger, run_id: str) -> dict[str, object]:
    comparison = compare(ledger, run_id)
    (arm,) = (arm for arm in comparison.arms if arm.arm == "edits")
    searched = [t for t in ledger.trials(run_id, arm="edits", phase="search") if t.runs]
    print(comparison.verdict, file=sys.stderr)
    return {
        "target": comparison.run.target,
        "candidates": len(searched),
        "kept_by_search": sum(trial.decision == "keep" for trial in searched),
        "accepted": int(arm.standing is not None and arm.standing.better),
        "search_gain": None if arm.search_score is None else round(arm.search_score - _base(ledger, run_id), 5),
        "confirm_gain": None if arm.gain is None or arm.gain.mean is None else round(arm.gain.mean, 5),
    }


def _base(ledger: Ledger, run_id: str) -> float:
    scores = [
        r.score.value for t in ledger.trials(run_id, arm="baseline", phase="calibrate") for r in t.runs if r.score
    ]
    return sum(scores) / len(scores)


if __name__ == "__main__":
    main()
