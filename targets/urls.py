"""Which repositories are fetched over a transport, and which transports are allowed: never one that names a program."""

import re

from .errors import TargetError

ALLOWED = ("https", "http", "ssh", "file")


def is_url(repo: str) -> bool:
    """Whether git would read `repo` as an address: `scheme://`, `user@host:path` or `transport::address`."""
    return "::" in repo or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", repo) is not None or _scp_like(repo)


def check_url(repo: str, where: str) -> None:
    """Raises: TargetError for any transport but https, http, ssh and file."""
    scheme = "ssh" if _scp_like(repo) else repo.split("://", 1)[0].lower()
    if "::" in repo or scheme not in ALLOWED or not repo.isprintable():
        raise TargetError("this kind of address is not allowed", wanted=", ".join(ALLOWED), found=repo, where=where)


def _scp_like(repo: str) -> bool:
    """git's rule: a colon before the first slash; the host must not look like an option."""
    return re.match(r"[\w.-]+@[\w][\w.-]*:(?!/?/)", repo) is not None
