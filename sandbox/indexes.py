"""Where packages come from, as this host's pip or uv is set up. It may hold passwords: nothing here is ever printed."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from ..targets.errors import TargetError

Tool = Literal["pip", "uv"]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SECTIONS = ("global", "install", ":env:")
"""Of pip's settings, later ones win."""
UV = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "constraint": ("UV_CONSTRAINT",),
}
"""uv's own variables for what pip calls so; the first that is set counts."""
TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Indexes:
    """Settings that say where packages come from. The fields stay out of `repr`: a URL may hold a password."""

    index: str = field(default="", repr=False)
    extra: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    trusted: tuple[str, ...] = field(default=(), repr=False)
    timeout: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: Path | None = None
    constraints: tuple[Path, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """User names and passwords in the URLs, as written and decoded; the longest first."""
        found: set[str] = set()
        # A proxy may be written without a scheme.
        proxies = [proxy if "://" in proxy else f"//{proxy}" for proxy in self.proxies.values()]
        for url in (self.index, *self.extra, *self.find_links, *proxies):
            user, at, _ = urlsplit(url).netloc.rpartition("@")
            if at:
                found |= {user, *user.split(":", 1)}
        found |= {unquote(secret) for secret in found}
        return tuple(sorted(filter(None, found), key=lambda secret: (-len(secret), secret)))

    def folders(self) -> tuple[Path, ...]:
        """Folders of this host that the settings name, which a build must see: no home folder is ever among them."""
        shown: dict[Path, None] = {}
        for place in self.find_links:
            if path := _local(place):
                shown[path] = None
        for place in (self.index, *self.extra):
            if path := _local(place):
                # The pages of a mirror point to files beside it.
                shown[path.parent if _may_show(path.parent) else path] = None
        return tuple(path for path in shown if path.exists() and _may_show(path))

    def environment(self, tool: Tool, *, certificate: str, constraints: list[str]) -> dict[str, str]:
        """Variables that tell pip or uv all of this, and that they need not ask or look elsewhere.

        `certificate` and `constraints` are where the files are inside; empty when there are none.
        """
        words = {"extra": " ".join(self.extra), "links": " ".join(self.find_links), "hosts": " ".join(self.trusted)}
        if tool == "uv":
            told = {
                "UV_DEFAULT_INDEX": self.index,
                "UV_INDEX": words["extra"],
                "UV_FIND_LINKS": words["links"].replace(" ", ","),
                "UV_INSECURE_HOST": words["hosts"],
                "UV_HTTP_TIMEOUT": self.timeout,
                "UV_CONSTRAINT": " ".join(constraints),
                "UV_INDEX_STRATEGY": "unsafe-best-match",  # what pip does
                "UV_NO_CONFIG": "1",
                "UV_NO_CACHE": "1",
                "UV_NO_PROGRESS": "1",
                "UV_LINK_MODE": "copy",
                "UV_PYTHON_DOWNLOADS": "never",
            }
        else:
            told = {
                "PIP_INDEX_URL": self.index,
                "PIP_EXTRA_INDEX_URL": words["extra"],
                "PIP_FIND_LINKS": words["links"],
                "PIP_TRUSTED_HOST": words["hosts"],
                "PIP_TIMEOUT": self.timeout,
                "PIP_CERT": certificate,
                "PIP_CONSTRAINT": " ".join(constraints),
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_CACHE_DIR": "1",
                "PIP_NO_INPUT": "1",
                "PIP_PROGRESS_BAR": "off",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_ROOT_USER_ACTION": "ignore",
            }
        told |= {"SSL_CERT_FILE": certificate, **self.proxies}
        return {name: value for name, value in told.items() if value}


def of_host(tool: Tool, environment: Mapping[str, str] | None = None) -> Indexes:
    """The settings this host's pip has, from its variables and files; for uv its own variables where there are any.

    Raises TargetError when a file they name is not there.
    """
    variables = os.environ if environment is None else environment
    own = any(variables.get(name) for names in UV.values() for name in names)
    settings = _uv_settings(variables) if tool == "uv" and own else _pip_settings(variables)
    certificate = settings.get("cert") or next(filter(None, map(variables.get, CERTIFICATES)), "")
    # Both spellings are read by one program or another.
    proxies = {name: value for key in PROXIES for name in (key, key.upper()) if (value := variables.get(name))}
    if proxy := settings.get("proxy"):
        proxies |= dict.fromkeys(("http_proxy", "https_proxy"), proxy)
    return Indexes(
        index=settings.get("index-url", ""),
        extra=tuple(settings.get("extra-index-url", "").split()),
        find_links=tuple(str(_local(place) or place) for place in settings.get("find-links", "").split()),
        no_index=settings.get("no-index", "").lower() in TRUE,
        trusted=tuple(settings.get("trusted-host", "").split()),
        timeout=settings.get("timeout") or settings.get("default-timeout", ""),
        proxies=proxies,
        certificate=_file(certificate, "certificates") if certificate else None,
        constraints=tuple(_file(path, "constraints") for path in settings.get("constraint", "").split()),
    )


def _pip_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """What `pip config list` says, which reads all of pip's files; the variables alone where there is no pip."""
    prefix = "PIP_"
    of_variables = {
        name[len(prefix) :].lower().replace("_", "-"): value
        for name, value in variables.items()
        if name.startswith(prefix) and value
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "pip", "config", "list"], env=dict(variables), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=True, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return of_variables
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for section, key, value in _listed(done.stdout):
        found.get(section, {})[key] = value
    return {key: value for section in SECTIONS for key, value in found[section].items()} | of_variables


def _listed(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.partition(".")
        if equals and dot and value[:1] in ("'", '"'):
            yield section, key.replace("_", "-"), str(ast.literal_eval(value))


def _uv_settings(variables: Mapping[str, str]) -> dict[str, str]:
    settings = {}
    for key, names in UV.items():
        if value := next(filter(None, map(variables.get, names)), ""):
            settings[key] = " ".join(map(_unnamed, value.replace(",", " ").split()))
    return settings


def _unnamed(index: str) -> str:
    """`URL` of `name=URL`."""
    name, equals, url = index.partition("=")
    return url if equals and "://" in url and "://" not in name else index


def _local(place: str) -> Path | None:
    """The folder of this host a place names, None for one on the network."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(place).expanduser().absolute() if place and not parts.scheme else None


def _may_show(path: Path) -> bool:
    home = Path.home().resolve()
    real = path.resolve()
    return real != Path("/") and not home.is_relative_to(real)


def _file(path: str, what: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise TargetError(
            f"the file of {what} that pip is told to use is not there", found=path, where="pip config list"
        )
    return found
