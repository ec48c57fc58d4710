"""Turns what a container engine printed when it failed into the reason a person needs, and the fix."""

from ..targets.errors import SandboxError

NO_PULL = "images are never pulled by a run: pull or import it yourself, or set BRANCHLAB_CONTAINER_IMAGE to one that is there"
OPTIONS = "BRANCHLAB_CONTAINER_OPTIONS"
# In this order: an engine often prints a general line after the one that says why.
KNOWN = (
    (("newuidmap", "newgidmap", "no subuid ranges", "no subgid ranges", "insufficient UIDs or GIDs"),
     "rootless containers are not set up for this account",
     "install uidmap (newuidmap, newgidmap) and give the account its ranges: usermod --add-subuids 100000-165535 "
     "--add-subgids 100000-165535 NAME"),
    (("permission denied while trying to connect",),
     "this account may not talk to the container engine",
     "add it to the docker group (that is as good as root on this host), or use rootless docker or podman"),
    (("Cannot connect to the Docker daemon", "Cannot connect to Podman", "Is the docker daemon running",
      "error during connect", "unable to connect to Podman"),
     "the container engine's daemon does not answer", "start it (systemctl start docker), or set DOCKER_HOST"),
    (("image not known", "No such image", "Unable to find image", "no such image", "does not resolve to an image"),
     "the image is not on this host", NO_PULL),
    (("hybrid mode not supported",),
     "crun cannot work with this host's control groups (version 1 and 2 mixed)", f"set {OPTIONS}='--runtime runc'"),
    (("container-init binary not found", "docker-init", "exec: \"catatonit\""),
     "the engine has no program for a container's first process (--init)",
     "install catatonit (podman) or the docker-init program that comes with docker"),
    (("not found: invalid argument",),
     "the engine has no OCI runtime of that name", f"install runc or crun, or name one: {OPTIONS}='--runtime runc'"),
    (("unknown or invalid runtime name",),
     "the engine has no OCI runtime of that name", "install it, or add it to the daemon's configuration"),
    (("setting rlimit", "setrlimit"),
     "this host does not allow the engine to raise limits of processes",
     f"set {OPTIONS}='--ulimit nofile=1024:1024 --ulimit nproc=4096:4096'"),
    (("could not select device driver", "unresolvable CDI devices", "unconfigured CDI"),
     "the engine cannot show a GPU", "install nvidia-container-toolkit and configure the engine with nvidia-ctk"),
    (("seccomp is not supported", "seccomp not enabled", "seccomp is not enabled"),
     "the engine was built without seccomp", "use an engine with seccomp"),
    (("not support cgroups", "cgroup controller", "cgroup is not mounted", "the \"cgroup\" mount"),
     "the engine has no control groups to limit a container with",
     "delegate them to this account (systemd: Delegate=yes), or run as root"),
    (("invalid mount config", "bind source path does not exist", "statfs "),
     "the engine does not see this host's folders", "use an engine of this host: a remote one cannot show local folders"),
    (("unknown flag", "unknown shorthand flag"),
     "this engine is too old for an option that is needed", "use docker 20.10 or podman 4.0, or newer"),
    (("no space left on device",), "the engine's disk is full", "free space where the engine keeps its containers"),
)  # fmt: skip


def explain(text: str) -> tuple[str, str]:
    """Reason and fix for what an engine printed when it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "level=warning" not in line]
    for marks, reason, fix in KNOWN:
        if any(mark in text for mark in marks):
            said = next((line for line in lines if any(mark in line for mark in marks)), "")
            return f"{reason} ({said[-300:]})" if said else reason, fix
    return (lines[-1][-300:] if lines else "the container engine failed without a word"), "see docs/sandbox.md"


def unavailable(text: str, program: str, *, image: str = "") -> SandboxError:
    """The error that says why no container can be started on this host."""
    reason, fix = explain(text)
    return SandboxError("no container can be started", wanted=image, found=reason, where=program, fix=fix)
