"""Try the newest release of every library, torch apart: the fast tests, and one training.

    python benchmarks/latest.py        (make test-latest)

The upper bounds of setup.cfg are left out, so that a new major version is met here first. What differs from the locks
is printed before anything runs. Needs the package registry; not part of CI. Exits with the code of what fails first.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from lock import BASE, LOCKS, ROOT, TORCH, read_entries

ENVIRONMENT = ROOT / "build" / "latest"
FAST = ["--ignore", "train/training", "--ignore", "train/generation/sampling_noise.py"]
FAST += ["--ignore", "train/export/divergence.py", "-m", "not slow and not soak"]
BOUND = re.compile(r",<[\d.]+")


def requirements() -> list[str]:
    """Return what setup.cfg asks for with all extras, without upper bounds."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line for text in texts for line in text.strip().splitlines() if not line.startswith(("torch>", "#"))]
    return [TORCH, "setuptools", *(BOUND.sub("", line) for line in lines)]


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command, and end with its code if it fails."""
    print("\n$", *command, flush=True)
    code = subprocess.run(command, cwd=cwd, check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Install, compare with the locks, then test and train."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    python = ENVIRONMENT / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    run(*uv, "venv", "--allow-existing", ENVIRONMENT)
    install = [*uv, "pip", "install", "--python", python]
    run(*install, "--upgrade", *requirements())
    run(*install, "--no-deps", BASE)
    run(*install, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    listed = subprocess.run(
        [*uv, "pip", "list", "--python", python, "--format", "json"], capture_output=True, check=True
    )
    newest = {package["name"].lower().replace("_", "-"): package["version"] for package in json.loads(listed.stdout)}
    for path in sorted(LOCKS.glob("*.txt")):
        for name, entry in sorted(read_entries(path.read_text()).items()):
            locked = entry.split("==")[1].split()[0]
            if newest.get(name, locked) != locked:
                print(f"{name:<24}{locked} → {newest[name]}")
    run(python, "-m", "pytest", "-q", *FAST)
    work = ENVIRONMENT / "work"
    work.mkdir(exist_ok=True)
    run(python, "-m", "builders.build", cwd=work)
    run(python, "-m", "train.sft", "--dataset", "chunks", "--max-steps", "2", "--overwrite", cwd=work)


if __name__ == "__main__":
    main()
