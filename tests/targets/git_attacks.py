"""Ways to make git run a program, each planted in a repository by who can write its work tree and its `.git`.

Every attack says which ordinary git commands set it off, so that a test can show that it is loaded.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .conftest import Project

ATTRIBUTES = b"*.md filter=evil diff=evil merge=evil\n"


@dataclass(frozen=True)
class Trap:
    """A project to plant in, and a program that leaves `ran` behind when anything starts it."""

    project: Project
    program: Path
    ran: Path

    @property
    def git_dir(self) -> Path:
        return self.project.path / ".git"

    def configure(self, settings: Mapping[str, object], git_dir: Path | None = None) -> None:
        """Written as text, since `git config` would itself read what was planted before."""
        with ((git_dir or self.git_dir) / "config").open("a") as file:
            for key, value in settings.items():
                section, _, name = key.rpartition(".")
                head, _, sub = section.partition(".")
                file.write(f'[{head} "{sub}"]\n' if sub else f"[{head}]\n")
                file.write(f'\t{name} = "{value}"\n')

    def hook(self, name: str, folder: Path | None = None) -> None:
        place = (folder or self.git_dir / "hooks") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.program, place)

    def nested(self, where: Path, settings: Mapping[str, object]) -> None:
        """A repository with a commit inside the work tree, and with these settings."""
        self.project.git("init", "--quiet", str(where))
        self.project.git("add", "--all", cwd=where)
        self.project.git("commit", "--quiet", "--allow-empty", "-m", "inner", cwd=where)
        self.configure(settings, where / ".git")


def make_trap(project: Project, folder: Path) -> Trap:
    program, ran = folder / "trap.sh", folder / "ran"
    program.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{ran}'\nexit 1\n")
    program.chmod(0o755)
    project.commit({".gitattributes": ATTRIBUTES, "notes.md": b"n\n", "train.py": b"RATE = 0.1\n"})
    project.git("branch", "side")
    return Trap(project, program, ran)


@dataclass(frozen=True)
class Attack:
    name: str
    plant: Callable[[Trap], None]
    set_off: tuple[str, ...]
    """Arguments of git, run one after the other in the work tree, after notes.md was changed."""


def _hook(name: str) -> Callable[[Trap], None]:
    return lambda trap: trap.hook(name)


def _hooks_path(trap: Trap) -> None:
    trap.hook("post-index-change", trap.project.path / "githooks")
    trap.configure({"core.hooksPath": trap.project.path / "githooks"})


def _setting(key: str) -> Callable[[Trap], None]:
    return lambda trap: trap.configure({key: trap.program})


def _included(trap: Trap) -> None:
    (trap.project.path / "more.cfg").write_text(f"[core]\n\tfsmonitor = {trap.program}\n")
    trap.configure({"include.path": trap.project.path / "more.cfg"})


def _signed(kind: str, setting: str) -> Callable[[Trap], None]:
    """A commit with a signature that git is told to look at."""

    def plant(trap: Trap) -> None:
        raw = trap.project.git("cat-file", "commit", "HEAD")
        head, _, message = raw.partition("\n\n")
        signature = f"gpgsig -----BEGIN {kind} SIGNATURE-----\n \n x\n -----END {kind} SIGNATURE-----"
        file = trap.program.with_name("signed")
        file.write_text(f"{head}\n{signature}\n\n{message}\n")
        commit = trap.project.git("hash-object", "-t", "commit", "-w", str(file))
        trap.project.git("update-ref", "HEAD", commit)
        file.unlink()
        trap.configure({setting: trap.program, "log.showSignature": "true", "gpg.ssh.allowedSignersFile": "/dev/null"})

    return plant


def _remote(url: str, **settings: str) -> Callable[[Trap], None]:
    def plant(trap: Trap) -> None:
        plain = {key.replace("__", "."): value.format(trap=trap.program) for key, value in settings.items()}
        trap.configure({"remote.origin.url": url.format(trap=trap.program), **plain})
        trap.configure({"remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*"})

    return plant


def _nested(**settings: str) -> Callable[[Trap], None]:
    """A repository in the work tree that was added, as `git add --all` does, and became a submodule without a name."""

    def plant(trap: Trap) -> None:
        inner = trap.project.path / "vendor"
        inner.mkdir()
        (inner / ".gitattributes").write_bytes(ATTRIBUTES)
        (inner / "notes.md").write_bytes(b"n\n")
        trap.nested(inner, {})
        trap.project.git("-c", "advice.addEmbeddedRepo=false", "add", "vendor")
        trap.project.git("commit", "--quiet", "-m", "vendor")
        trap.configure({k.replace("__", "."): v.format(trap=trap.program) for k, v in settings.items()}, inner / ".git")
        (inner / "notes.md").write_bytes(b"m\n")  # of the same size, so that git must look inside

    return plant


def _bare(trap: Trap) -> None:
    """Ordinary files, which any commit can hold: git takes the folder for a repository all the same."""
    data = trap.project.path / "data"
    trap.project.git("init", "--quiet", "--bare", str(data))
    (data / "refs" / "keep").write_text("")
    (data / "objects" / "keep").write_text("")
    trap.configure({"core.fsmonitor": trap.program, "core.bare": "false", "core.worktree": ".."}, data)
    trap.project.commit(message="data")


def _pointed_elsewhere(trap: Trap) -> None:
    """The `.git` file of a linked work tree, rewritten to a git directory of the attacker's making."""
    evil = trap.project.path.with_name("evil.git")
    shutil.move(trap.git_dir, evil)
    trap.git_dir.write_text(f"gitdir: {evil}\n")
    trap.configure({"core.fsmonitor": trap.program, "core.worktree": trap.project.path}, evil)
    trap.configure({"filter.evil.clean": trap.program}, evil)


def _submodule(url: str, **settings: str) -> Callable[[Trap], None]:
    def plant(trap: Trap) -> None:
        inner = trap.project.path.with_name("inner")
        inner.mkdir()
        trap.nested(inner, {})
        commit = trap.project.git("rev-parse", "HEAD", cwd=inner)
        filled = url.format(trap=trap.program, inner=inner)
        (trap.project.path / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = {filled}\n')
        trap.project.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
        trap.project.git("add", ".gitmodules")
        trap.project.git("commit", "--quiet", "-m", "sub")
        plain = {key.replace("__", "."): value.format(trap=trap.program) for key, value in settings.items()}
        trap.configure({"submodule.sub.url": filled, "submodule.sub.active": "true", **plain})

    return plant


def _merge_driver(trap: Trap) -> None:
    trap.project.commit({"notes.md": b"ours\n"})
    trap.project.git("checkout", "--quiet", "side")
    trap.project.commit({"notes.md": b"theirs\n"})
    trap.project.git("checkout", "--quiet", "main")
    trap.configure({"merge.evil.driver": f"{trap.program} %O %A %B"})


STATUS = "status"
ATTACKS = (
    Attack("hook pre-commit", _hook("pre-commit"), ("commit -am x",)),
    Attack("hook post-checkout", _hook("post-checkout"), ("checkout -f side",)),
    Attack("hook post-index-change", _hook("post-index-change"), ("add --all",)),
    Attack("hook reference-transaction", _hook("reference-transaction"), ("branch new",)),
    Attack("core.hooksPath", _hooks_path, ("add --all",)),
    Attack("core.fsmonitor", _setting("core.fsmonitor"), (STATUS,)),
    Attack("include.path", _included, (STATUS,)),
    Attack("filter clean", _setting("filter.evil.clean"), (STATUS, "add --all")),
    Attack("filter smudge", _setting("filter.evil.smudge"), ("checkout -- notes.md",)),
    Attack("filter process", _setting("filter.evil.process"), (STATUS, "add --all")),
    Attack("textconv", _setting("diff.evil.textconv"), ("log -p",)),
    Attack("diff.external", _setting("diff.external"), ("diff",)),
    Attack("diff driver command", _setting("diff.evil.command"), ("diff",)),
    Attack("merge driver", _merge_driver, ("checkout -- .", "merge side")),
    Attack("gpg.program", _signed("PGP", "gpg.program"), ("log",)),
    Attack("gpg.ssh.program", _signed("SSH", "gpg.ssh.program"), ("log",)),
    Attack("core.sshCommand", _remote("ssh://h/x", core__sshCommand="{trap}"), ("fetch origin",)),
    Attack("ext:: remote", _remote("ext::{trap} %S", protocol__ext__allow="always"), ("fetch origin",)),
    Attack("upload-pack of a remote", _remote("/", remote__origin__uploadpack="{trap}"), ("fetch origin",)),
    Attack("credential.helper", _remote("http://h/x", credential__helper="!{trap}"), ("credential fill",)),
    Attack("shell alias", lambda trap: trap.configure({"alias.st": f"!{trap.program}"}), ("st",)),
    Attack("nested repository, fsmonitor", _nested(core__fsmonitor="{trap}"), (STATUS,)),
    Attack("nested repository, filter", _nested(filter__evil__clean="{trap}"), (STATUS,)),
    Attack("bare repository hidden in the tree", _bare, ("-C data status",)),
    Attack(".git file pointed elsewhere", _pointed_elsewhere, (STATUS,)),
    Attack("submodule ext:: url", _submodule("ext::{trap} %S"),
           ("-c protocol.ext.allow=always submodule update",)),
    Attack("submodule update", _submodule("{inner}", submodule__sub__update="!{trap}"),
           ("-c protocol.file.allow=always submodule update",)),
    Attack("pager", _setting("core.pager"), ("log",)),
    Attack("editor", _setting("core.editor"), ("commit --amend",)),
)  # fmt: skip
