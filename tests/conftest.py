"""What all tests share: a work folder of their own, and a clone of the repository to run DVC in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """Keep the user's own work folder out of every test."""
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


HOSTILE = ["fox", "<img src=x onerror=alert(1)>", "NA"]
HOSTILE.append("""' onload=alert(2) "onload="alert(3)"><script>alert(4)</script>""")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Give a folder in which all stages but ``report`` have run, with labels that would like to be markup."""
    from benchmarks import generated_run

    return generated_run.write(tmp_path_factory.mktemp("drawn") / "run", 400, HOSTILE, 12, 60)


class Clone:
    """A copy of the repository with its own git history, DVC cache and work folder."""

    def __init__(self, folder: Path) -> None:
        """Copy what git would track, and commit it."""
        self.path = folder / "clone"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        # Locks of other runs would make stages look done; collections of the developer's own are not part of it.
        kept = [name for name in names if name and (ROOT / name).is_file() and not name.endswith("dvc.lock")]
        for name in kept:
            if not name.startswith("data/") or name.startswith("data/demo/"):
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.path / name)
        self.work = folder / "work"
        self.git("init", "-q")
        self.commit()

    def env(self, **more: str) -> dict[str, str]:
        """Give the environment of a user who has activated the virtual environment."""
        folder = self.path.parent
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CAMTRAPS_WORK": str(self.work),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(folder / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(folder / "system"),
            "DVC_STUDIO_OFFLINE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return os.environ | own | more

    def run(self, *command: str, **more: str) -> str:
        """Run a command that must succeed; give what it printed."""
        done = self.attempt(*command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def attempt(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        return subprocess.run(command, cwd=self.path, env=self.env(**more), capture_output=True, text=True, check=False)

    def git(self, *arguments: str) -> str:
        """Run git as somebody."""
        return self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-qm", "test")

    def set_params(self, **sections: dict[str, object]) -> None:
        """Change keys of params.yaml."""
        import yaml

        path = self.path / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for section, values in sections.items():
            assert set(values) <= set(params[section])
            params[section] |= values
        path.write_text(yaml.safe_dump(params, sort_keys=False))
