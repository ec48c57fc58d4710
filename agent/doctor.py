"""What works on this machine, what does not, and the fix."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from ..sandbox import backends, cgroups, gpu_inventory, gpu_report
from ..sandbox.built_environments import kept
from ..targets.find import shipped

LEAST_FREE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    works: bool
    detail: str
    fix: str = ""
    needed: bool = True
    """False: only some uses need it."""


def examine(home: Path) -> tuple[Finding, ...]:
    return (
        *_sandboxes(),
        _control_groups(),
        _git(),
        _disk(home),
        _environments(home),
        *_libraries(),
        *_gpus(),
        _targets(),
    )


def print_examined(findings: tuple[Finding, ...], *, as_json: bool) -> int:
    """0 when everything a run needs is there, else 4."""
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            mark = "ok     " if finding.works else "missing" if finding.needed else "absent "
            click.echo(f"{mark}  {finding.what:<22} {finding.detail}")
            if finding.fix and not finding.works:
                click.echo(f"{'':<9}fix: {finding.fix}")
    return 0 if all(finding.works for finding in findings if finding.needed) else 4


def _sandboxes() -> list[Finding]:
    probes = [probe for probe in backends.probe() if probe.name != "unconfined"]
    working = any(probe.available for probe in probes)
    return [Finding(f"sandbox {p.name}", p.available, p.reason or "works", p.fix, needed=not working) for p in probes]


def _control_groups() -> Finding:
    found = cgroups.find()
    detail = (
        f"{found.kind}: the kernel holds each run's memory, processes and CPU time"
        if found
        else ("none can be made: a watchdog holds memory and processes alone, and can be outrun by tens of MB")
    )
    fix = "systemd-run --user --scope -p Delegate=yes branchlab run ..., or run as root"
    return Finding("control groups", found is not None, detail, fix, needed=False)


def _git() -> Finding:
    path = shutil.which("git")
    if not path:
        return Finding("git", False, "not found", "install git 2.30 or newer")
    words = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    return Finding("git", True, words)


def _disk(home: Path) -> Finding:
    place = next(p for p in (home.absolute(), *home.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    detail = f"{free:.1f} GB free at {home}" + ("" if writable else ", not writable")
    return Finding(
        "disk", writable and free >= LEAST_FREE_GB, detail, f"free {LEAST_FREE_GB:.0f} GB, or another --home"
    )


def _environments(home: Path) -> Finding:
    count, mb = kept(home)
    detail = f"{count} built, {mb:.0f} MB in {home / 'environments'}; rm -r removes them, a run builds its own again"
    return Finding("environments", True, detail, needed=False)


def _libraries() -> list[Finding]:
    optional = {
        "torch": ("the shipped targets", "pip install 'branchlab[demo]'"),
        "litellm": ("--model", "pip install 'branchlab[models]'"),
    }
    return [
        Finding(name, find_spec(name) is not None, f"for {why}", fix, needed=False)
        for name, (why, fix) in optional.items()
    ]


def _gpus() -> list[Finding]:
    inventory = gpu_inventory.find()
    # A sandbox is made only where there is a GPU to ask in it.
    works = any(probe.available for probe in backends.probe() if probe.name == "bubblewrap")
    runner = backends.choose() if inventory.usable and works else None
    return [Finding("gpu", g.works, g.detail, g.fix, needed=False) for g in gpu_report.describe(inventory, runner)]


def _targets() -> Finding:
    names = shipped()
    where = f"shipped with Python {sys.version_info.major}.{sys.version_info.minor}"
    return Finding("targets", bool(names), f"{', '.join(names) or 'none'} ({where})", "reinstall branchlab")
