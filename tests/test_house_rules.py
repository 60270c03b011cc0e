"""Rules of the house that a machine can check: who may import whom, quick help, no transcript in git."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # package → what it may import of ours
    "friends_corpus": ("friends_corpus",),
    "cards": ("cards", "friends_corpus.core"),
    "builders": ("builders", "friends_corpus", "cards"),
    "train": ("train", "friends_corpus.core", "cards"),
}
ONLY_IN = {"datasets": {"builders", "train"}, "torch": {"train"}, "transformers": {"train"}}
AT_THE_ROOT = {"assemble.py", "render.py"}  # no commands: the heart of builders, and what all templates go through
COMMANDS = [
    f"{package}.{path.stem}"
    for package in MAY_IMPORT
    for path in sorted((ROOT / package).glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, lazily or not; names are modules too if they are files."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            modules = [name for name in names if is_module(name)]
            yield from modules
            if len(modules) < len(names):
                yield module


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def sources() -> Iterator[tuple[str, Path]]:
    """Yield the package and path of every module."""
    for package in MAY_IMPORT:
        yield from ((package, path) for path in sorted((ROOT / package).rglob("*.py")))


def room_of(module: str) -> str:
    """The room of a module; a command is a room of its own."""
    parts = module.split(".")
    return ".".join(parts[:2])


def is_within(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_is_upstream_of_them(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        found = set(imports(path))
        ours = {module for module in found if module.split(".")[0] in MAY_IMPORT}
        assert not {module for module in ours if not is_within(module, MAY_IMPORT[package])}, path
        assert not {name for name in found if package not in ONLY_IN.get(name.split(".")[0], {package})}, path


def test_rooms_import_one_another_in_one_direction() -> None:
    graph: dict[str, set[str]] = {}
    for _, path in sources():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        used = {room_of(name) for name in imports(path) if name.split(".")[0] in MAY_IMPORT and "." in name}
        graph.setdefault(room_of(module), set()).update(used - {room_of(module)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_modules_import_one_another_in_one_direction() -> None:
    graph = {}
    for _, path in sources():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        graph[module] = {name for name in imports(path) if name.split(".")[0] in MAY_IMPORT} - {module}
    TopologicalSorter(graph).prepare()


def test_nothing_but_commands_at_the_roots() -> None:
    for package in MAY_IMPORT:
        for path in (ROOT / package).glob("*.py"):
            is_command = '__name__ == "__main__"' in path.read_text(encoding="utf-8")
            assert is_command or path.name.startswith("__") or path.name in AT_THE_ROOT, path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command: str) -> None:
    probe = (
        "import sys, runpy, atexit\n"
        "heavy = {'torch', 'datasets', 'transformers', 'pandas', 'pandera', 'matplotlib'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['x', '--help']\nrunpy.run_module('{command}', run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert run.stdout.rstrip().endswith("[]"), run.stdout + run.stderr


def test_no_regex_inside_an_if() -> None:
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.If | ast.While | ast.IfExp):
                    calls = [call for call in ast.walk(node.test) if isinstance(call, ast.Call)]
                    used = [c.func.value for c in calls if isinstance(c.func, ast.Attribute)]
                    named = {module.id for module in used if isinstance(module, ast.Name)}
                    assert "re" not in named, f"{path}:{node.lineno}: name the pattern"


def test_nothing_but_invented_pages_in_the_package() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    pages = [name for name in tracked if name.endswith((".html", ".htm"))]
    assert pages
    assert all(name.startswith(("friends_corpus/sample/11", "tests/pages/", "tests/harbour_lights/")) for name in pages)
