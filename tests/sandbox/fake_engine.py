# ruff: noqa: T201 (its output is a client's)
"""A stand-in for the client of docker or podman: a program with their commands, answers, error texts and exit statuses,
and no isolation at all. Named as BRANCHLAB_CONTAINER_ENGINE="python fake_engine.py FOLDER".

It does what FOLDER/scenario.json says, keeps its containers' states in FOLDER, and writes each call to FOLDER/calls.jsonl.
`run` starts the command as a plain child with the container's environment and its own paths in place of the container's,
so that what a run prints, writes and ends with is real.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCKER = {"version": "Docker version 24.0.7, build afdd53b", "info": '["name=seccomp,profile=builtin"]'}
PODMAN = {"version": "podman version 4.3.1", "info": "false"}


def main(folder: Path, words: list[str]) -> int:
    scenario: dict[str, Any] = json.loads((folder / "scenario.json").read_text())
    with (folder / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps({"words": words, "environment": dict(os.environ)}) + "\n")
    kind = PODMAN if scenario.get("kind") == "podman" else DOCKER
    words = words[2:] if words[0] == "--log-level" else words
    asked = " ".join(words[:2]) if words[0] in ("image", "container") else words[0]
    if asked in scenario.get("fails", {}):
        status, text = scenario["fails"][asked]
        print(text, file=sys.stderr)
        return int(status)
    match asked:
        case "--version":
            print(kind["version"])
        case "info":
            print(kind["info"])
        case "image inspect":
            print(json.dumps(scenario.get("image", {})))
        case "ps":
            print("\n".join(scenario.get("containers", [])))
        case "run":
            return run(folder, words, scenario)
        case "container inspect":
            state = folder / f"{words[-1]}.state"
            if not state.exists():
                print(f"Error: No such container: {words[-1]}", file=sys.stderr)
                return 1
            print(state.read_text())
        case "kill":
            os.kill(int((folder / f"{words[-1]}.pid").read_text()), signal.SIGKILL)
        case "rm":
            for name in words[3:]:
                (folder / f"{name}.state").unlink(missing_ok=True)
    return 0


def run(folder: Path, words: list[str], scenario: dict[str, Any]) -> int:
    name = words[words.index("--name") + 1]
    text = Path(words[words.index("--env-file") + 1]).read_text()
    (folder / f"{name}.environment").write_text(text)
    environment = dict(line.split("=", 1) for line in text.splitlines())
    environment |= {
        "HOME": str(folder),
        "TMPDIR": scenario.get("closed", str(folder)),
    }  # in place of its own folders in memory
    state = {"Running": True, "Pid": 0, "ExitCode": 0, "OOMKilled": False, "StartedAt": "0001-01-01T00:00:00Z"}
    if said := scenario.get("engine_says"):
        put(folder, name, {**state, "Running": False, "ExitCode": scenario["engine_status"]})
        print(said, file=sys.stderr)
        return int(scenario["engine_status"])
    command = words[words.index("--entrypoint") + 3 :]
    for mount in (words[i + 1] for i, word in enumerate(words) if word == "--mount"):
        parts = dict(part.split("=", 1) for part in mount.split(",") if "=" in part)
        if parts["dst"] in ("/out", "/work"):
            command = [parts["src"] if word == parts["dst"] else word for word in command]
    if "warning" in scenario:
        print(scenario["warning"], file=sys.stderr, flush=True)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    (folder / f"{name}.pid").write_text(str(process.pid))
    put(folder, name, {**state, "StartedAt": "2026-01-01T00:00:00Z"})
    status = process.wait()
    status = 128 - status if status < 0 else status
    put(
        folder,
        name,
        {
            **state, "StartedAt": "2026-01-01T00:00:00Z", "Running": False, "ExitCode": status,
            "OOMKilled": scenario.get("out_of_memory", False),
        },
    )  # fmt: skip
    return status


def put(folder: Path, name: str, state: dict[str, Any]) -> None:
    (folder / f"{name}.new").write_text(json.dumps(state))
    (folder / f"{name}.new").rename(folder / f"{name}.state")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
