"""Rules of the house that a machine can check: who may import whom, quick help, no transcript in git."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "friends_corpus": set[str](),
    "cards": set[str](),
    "builders": {"friends_corpus", "cards"},
    "train": {"cards"},
}
EVERYBODYS = "friends_corpus.command"  # how a command ends
ONLY_IN = {"datasets": {"builders", "train"}, "torch": {"train"}, "transformers": {"train"}, "bs4": {"friends_corpus"}}
COMMANDS = [
    f"{package}.{path.stem}"
    for package in MAY_IMPORT
    for path in sorted((ROOT / package).glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


def imports(path: Path, package: str) -> set[str]:
    """The top-level names a module imports, relative ones as the package itself."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            absolute = node.module or ""
            names.add(package if node.level else absolute if absolute == EVERYBODYS else absolute.split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_is_upstream_of_them(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        found = imports(path, package)
        assert found & MAY_IMPORT.keys() <= MAY_IMPORT[package] | {package}, path
        assert not {name for name in found & ONLY_IN.keys() if package not in ONLY_IN[name]}, path


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
