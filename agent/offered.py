"""What only the whole repository says of a literal: whether its call makes something of the repository's own, whether what
it is a parameter of builds a model, and which strings other files compare its name with."""

from collections import defaultdict
from collections.abc import Mapping

from .code_map import CodeMap, Role, Symbol
from .defined import Definitions
from .exclusions import measures, measuring_scope
from .facts import absolute_module
from .imports import Modules
from .literals import Site, choice_name, is_setting

BUILT: frozenset[Role] = frozenset({"model", "loss", "optimizer"})
"""Whatever makes one of these takes settings."""


class Offered:
    """Facts about literals that one file cannot know."""

    def __init__(self, code: CodeMap, roots: tuple[str, ...] = ()) -> None:
        files = (name for name in code.sources if name.endswith(".py"))
        self._definitions = Definitions(code.symbols, code.imports, Modules(files, roots))
        self._compared: dict[str, dict[str, None]] = defaultdict(dict)

    def compare(self, compared: Mapping[str, Mapping[str, None]]) -> None:
        """Adds what one file compares names with."""
        for name, strings in compared.items():
            self._compared[name].update(strings)

    def own(self, callee: str, file: str) -> Symbol | None:
        """The class or function of the repository that `callee` names in `file`."""
        level = len(callee) - len(callee.lstrip("."))
        dotted = absolute_module(file, callee.lstrip("."), level) if level else callee
        found = self._definitions.find(dotted, file)
        return found if found and found.kind in {"class", "function"} else None

    def is_candidate(self, site: Site, file: str) -> bool:
        """Whether `site` is one at all: a keyword only where the repository's own code takes it, and does not measure."""
        if site.place != "keyword":
            return True
        own = self.own(site.callee, file)
        return own is not None and not (measures(own.name) or measuring_scope(own.name) or "evaluation" in own.roles)

    def is_setting(self, site: Site, file: str) -> bool:
        """Whether the code offers it as a setting, so that any name will do."""
        if is_setting(site):
            return True
        if site.place == "keyword":
            own = self.own(site.callee, file)
        else:
            own = self.own(site.scope.removesuffix(".__init__"), file) if site.place == "parameter" else None
        return own is not None and bool(BUILT & own.roles) and "data" not in own.roles

    def choices(self, site: Site) -> tuple[str, ...]:
        return site.choices or tuple(self._compared.get(choice_name(site), ()))
