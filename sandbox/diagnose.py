"""Turns bubblewrap's own complaint into the reason a person needs, and the fix."""

from ..targets.errors import SandboxError

UNSAFE = "or run without a sandbox, on code you trust: --unsafe-no-sandbox"
APPARMOR = (
    "allow bwrap user namespaces with an AppArmor profile: write 'abi <abi/4.0>, include <tunables/global> profile bwrap "
    "{path} flags=(unconfined) {{ userns, }}' to /etc/apparmor.d/bwrap and run: apparmor_parser -r /etc/apparmor.d/bwrap"
)
KNOWN = (
    (("setting up uid map: Permission denied", "Failed RTM_NEWADDR"),
     "AppArmor restricts user namespaces on this host", APPARMOR),
    (("No permissions to create new namespace", "No permissions to creating new namespace"),
     "this kernel or container does not allow user namespaces",
     "inside Docker start the container with --privileged, or use a plain virtual machine; on a host: sysctl -w "
     "kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000"),
    (("Creating new namespace failed", "max_user_namespaces", "No space left on device"),
     "the number of user namespaces is limited on this host", "sysctl -w user.max_user_namespaces=15000"),
    (("Can't set hostname",),
     "this container does not let its own namespaces be set up", "start the container with --privileged"),
    (("Can't mount proc",),
     "this container masks /proc, so no private one can be mounted",
     "start the container with --privileged (docker) or --security-opt unmask=ALL (podman)"),
    (("Unexpected capabilities but not setuid",),
     "this account holds capabilities that bubblewrap refuses", "start branchlab without ambient capabilities"),
)  # fmt: skip


def explain(text: str, path: str) -> tuple[str, str]:
    """Reason and fix for what bubblewrap printed when it failed."""
    for marks, reason, fix in KNOWN:
        if any(mark in text for mark in marks):
            return reason, f"{fix.format(path=path)}; {UNSAFE}"
    last = text.strip().splitlines()
    return (last[-1] if last else "bubblewrap failed without a word"), f"see docs/sandbox.md; {UNSAFE}"


def unavailable(text: str, path: str) -> SandboxError:
    """The error that says why no sandbox can be started on this host."""
    reason, fix = explain(text, path)
    return SandboxError("no sandbox can be started here", found=reason, where=path, fix=fix)
