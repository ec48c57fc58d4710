"""Findings per 1,000 lines of well-kept public machine-learning code: how often the detectors cry out where nothing is wrong.

    pip download --no-deps --no-binary :none: -d DIR -r benchmarks/recall/clean.txt
    python benchmarks/precision.py --clean DIR [--quick] [--sample FILE]

DIR holds wheels; each is read as one repository, tests and all, as a user's would be. Counted are findings that would be
acted on, safe or proposed; advice is counted apart. --sample writes 100 of them, drawn with a fixed seed, with the source
lines around each, to be read by hand: it holds other people's code and is not to be committed.
Without wheels nothing is measured: exit code 2. Last line on stdout: one JSON object.
"""

import argparse
import json
import random
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchlab.agent.proposers.defects import Finding, Program, find_defects
from branchlab.agent.read import read_code

SAMPLE, SEED = 100, 20240607
QUICK_LINES = 30_000
FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class Package:
    name: str
    lines: int
    sources: Mapping[str, bytes]
    findings: tuple[Finding, ...]


def read_wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as wheel:
        files = [one for one in wheel.infolist() if one.filename.endswith(".py") and one.file_size <= FILE_BYTES]
        return {one.filename: wheel.read(one) for one in files}


def examine(path: Path) -> Package:
    sources = read_wheel(path)
    code = read_code(path.name, sources, cst_bytes=0)
    lines = sum(source.text.count("\n") for source in Program.of(code).sources)
    return Package(path.name, lines, sources, find_defects(code))


def wheels(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"))


def measure(folder: Path, quick: bool = False, sample: Path | None = None) -> dict[str, Any]:
    """The counts over all wheels of `folder`; with `quick`, over the first ones until enough lines are read."""
    packages: list[Package] = []
    for path in wheels(folder):
        started = time.process_time()
        packages.append(one := examine(path))
        acted = sum(1 for finding in one.findings if finding.action != "advise")
        print(
            f"{one.name}: {one.lines:,} lines, {acted} acted on, {len(one.findings) - acted} advice,"
            f" {time.process_time() - started:.0f} s CPU",
            file=sys.stderr,
        )
        if quick and sum(package.lines for package in packages) >= QUICK_LINES:
            break
    lines = sum(one.lines for one in packages)
    acted_on = [(one, finding) for one in packages for finding in one.findings if finding.action != "advise"]
    advice = Counter(finding.detector for one in packages for finding in one.findings if finding.action == "advise")
    by_detector = Counter(finding.detector for _, finding in acted_on)
    if sample is not None:
        drawn = random.Random(SEED).sample(acted_on, min(SAMPLE, len(acted_on)))  # noqa: S311 - a sample, no secret
        sample.write_text("\n".join(shown(number, *one) for number, one in enumerate(drawn, start=1)))
    return {
        "packages": len(packages),
        "lines": lines,
        "acted_on": len(acted_on),
        "per_kloc": round(1000 * len(acted_on) / max(lines, 1), 3),
        "safe": sum(1 for _, finding in acted_on if finding.safe),
        "by_detector": dict(by_detector.most_common()),
        "advice": sum(advice.values()),
        "advice_by_detector": dict(advice.most_common()),
    }


def shown(number: int, package: Package, finding: Finding) -> str:
    """One finding with the lines around it, escaped: the source is somebody else's."""
    text = package.sources[finding.file].decode(errors="replace").splitlines()
    first = max(0, finding.line - 9)
    around = "\n".join(
        f"{'>' if row == finding.line else ' '} {row:5} {ascii(line)[1:-1]}"
        for row, line in enumerate(text[first : finding.line + 8], start=first + 1)
    )
    evidence = "; ".join(f"{one.file}:{one.line} {one.note}" for one in finding.evidence)
    return (
        f"## {number}. {finding.detector} ({finding.action}, {finding.confidence}) {package.name}\n"
        f"{finding.file}:{finding.line} {finding.symbol}\n{finding.title}\n{finding.rationale}\n{evidence}\n{around}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, default=Path("clean"), help="folder of wheels")
    parser.add_argument("--sample", type=Path, help="write findings to read by hand to this file")
    parser.add_argument("--quick", action="store_true", help=f"the first wheels, at least {QUICK_LINES:,} lines")
    options = parser.parse_args()
    if not wheels(options.clean):
        print(f"no wheels in {options.clean}: nothing is measured", file=sys.stderr)
        return 2
    print(json.dumps(measure(options.clean, options.quick, options.sample)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
