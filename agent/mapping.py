"""`branchlab map`: what was understood of a target's code."""

import json
from pathlib import Path

import click

from ..targets.checkout import Checkout
from ..targets.find import find_target
from ..targets.state_folder import prepare_home
from .audit import audit
from .map_view import map_json, render_map
from .proposers.defects import find_defects
from .read_commit import read_commit
from .tunables import find_tunables


def show_map(ref: str, home: Path, *, as_json: bool) -> None:
    """Prints the map of the target's base commit."""
    home = prepare_home(home)
    target = find_target(ref, home)
    checkout = Checkout.open(target, home)
    try:
        code = read_commit(checkout, checkout.base, target)
    finally:
        checkout.close()
    tunables, findings, audited = find_tunables(code, target), find_defects(code), audit(code, target)
    if as_json:
        click.echo(json.dumps(map_json(code, tunables, findings, audited)))
        return
    from rich.console import Console

    Console().print(render_map(code, tunables, findings, audited))
