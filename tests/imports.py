"""Which modules of ours a module imports, read from the source."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# These can only refuse or report, never change a result, so no stage depends on them.
REFUSERS = {f"camtraps/{name}.py" for name in ("__init__", "errors", "params", "progress")}
REFUSERS |= {"stages/__init__.py", "stages/_run.py"}
ASSETS = {path.name for path in (ROOT / "camtraps/web").iterdir()}


def imported(path: Path) -> set[str]:
    """Give the paths, relative to the repository, of our modules that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {found for name in names if (found := _path_of(name))}


def closure(path: Path) -> set[str]:
    """Give all our modules that a file imports, directly or through others that can change a result."""
    found: set[str] = set()
    waiting = imported(path)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= (imported(ROOT / name) if name not in REFUSERS else set()) - found
    return found


def code_deps(stage: Path) -> set[str]:
    """Give the code files that a stage must name in dvc.yaml, those of ``camtraps/web`` that its modules name too."""
    modules = (closure(stage) | {stage.relative_to(ROOT).as_posix()}) - REFUSERS
    return modules | {name for module in modules for name in assets(ROOT / module)}


def assets(path: Path) -> set[str]:
    """Give the files of ``camtraps/web`` that a module names."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {f"camtraps/web/{name}" for name in ASSETS & texts}


def _path_of(name: str) -> str | None:
    base = name.replace(".", "/")
    if not base.startswith(("camtraps", "stages")):
        return None
    return next((path for path in (f"{base}.py", f"{base}/__init__.py") if (ROOT / path).is_file()), None)
