"""Every changed file is still what its name says: Python that both parsers read, or YAML, TOML, JSON that loads."""

from ...evals.trial import Verdict
from ...targets.target import Target
from ..readable import UnreadableError
from ..syntax import parse_cst
from .base import Change
from .config_values import CONFIG_SUFFIXES, load_config


class Parses:
    name = "parses"

    def judge(self, target: Target, change: Change) -> Verdict:
        for file, data in sorted(change.after.items()):
            try:
                if data is not None and file.endswith(".py"):
                    parse_cst(data)
                elif data is not None and file.endswith(CONFIG_SUFFIXES):
                    load_config(file, data)
            except UnreadableError as error:
                return Verdict(self.name, False, f"{file}: {error}")
        return Verdict(self.name, True, f"{len(change.after)} changed files parse")
