"""A team's tiny repository: one stage that writes three packed files of crops and a model, shared over a remote."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from camtraps import dvc_remotes, objects

NUM_BYTES = 300_000  # of each output
PACK = f"""import pathlib, random
pathlib.Path("crops").mkdir(exist_ok=True)
for name in ("crops/a.zip", "crops/b.zip", "crops/c.zip", "model"):
    pathlib.Path(name).write_bytes(random.Random(name).randbytes({NUM_BYTES}))
"""
STAGE = {"cmd": "python pack.py", "deps": ["pack.py"], "outs": ["crops", "model"]}
OUTPUTS = ["crops/a.zip", "crops/b.zip", "crops/c.zip", "model"]
Where = Callable[[], Any]


class Repository:
    """A git and DVC repository below a folder that is its user's own."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.path = folder, folder / "repository"
        places = {f"DVC_{name}": str(folder / name) for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = places | {"DVC_SYSTEM_CONFIG_DIR": str(folder / "system"), "PATH": path, "DVC_STUDIO_OFFLINE": "1"}
        self.env |= {"GIT_CONFIG_GLOBAL": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"} | env
        self.env |= {name: str(folder) for name in ("HOME", "AZURE_CONFIG_DIR")}

    @classmethod
    def made(cls, folder: Path, **env: str) -> "Repository":
        """Make one that has run its stage."""
        made = cls(folder, **env)
        made.path.mkdir(parents=True)
        made.run("git", "init", "-q")
        made.run("git", "config", "user.name", "test")
        made.run("git", "config", "user.email", "test@example.org")
        made.run("dvc", "init", "-q")
        (made.path / ".dvc/config").write_text("[core]\nanalytics = false\n[cache]\ntype = 'hardlink,symlink'\n")
        (made.path / "pack.py").write_text(PACK)
        (made.path / "dvc.yaml").write_text(json.dumps({"stages": {"pack": STAGE}}))
        made.run("dvc", "repro", "-q")
        made.commit()
        return made

    def copy(self, folder: Path, **env: str) -> "Repository":
        """Make a copy, cache and all."""
        made = Repository(folder, **env)
        shutil.copytree(self.path, made.path, symlinks=True)
        return made

    def clone(self, folder: Path) -> "Repository":
        """Make a fresh clone with a cache of its own."""
        made = Repository(folder)
        made.env |= {name: value for name, value in self.env.items() if name not in made.env}
        folder.mkdir(parents=True)
        made.run("git", "clone", "-q", str(self.path), str(made.path), cwd=folder)
        return made

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "test")

    def start(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a command."""
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=cwd or self.path, env=os.environ | self.env, **pipe)

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Run a command that must succeed; give what it printed."""
        process = self.start(*command, cwd=cwd)
        printed = process.communicate()[0]
        assert process.returncode == 0, printed
        return printed

    def enter(self, monkeypatch) -> None:
        """Be its user in this process."""
        monkeypatch.chdir(self.path)
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)

    def outputs(self) -> dict[str, bytes]:
        return {name: (self.path / name).read_bytes() for name in OUTPUTS}


EXPECTED = {name: random.Random(name).randbytes(NUM_BYTES) for name in OUTPUTS}


def remote() -> dvc_remotes.Remote:
    """Give the remote of the repository in this folder."""
    found = dvc_remotes.of_config()
    assert found
    return found


def oids() -> dict[str, str]:
    """Give the names of the objects in the repository of this folder, by path."""
    from dvc.repo import Repo

    with Repo() as repository:
        outputs = objects.wanted(repository)
        held = objects.hold(objects.cache_of(repository))
    return {path: oid for oid, path in objects._files(outputs, held).items()}
