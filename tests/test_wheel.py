"""A wheel of a fresh clone holds all that git has, and its commands run where nothing else of the project is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from friends_corpus.core.commands import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGES = ("friends_corpus", "builders", "cards", "train")
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path, umask: str) -> Path:
    """Build as `make wheel` does, of a fresh clone, with the setuptools that is here, so that nothing is fetched."""
    command = (
        f"umask {umask} && git clone --quiet --no-hardlinks {ROOT} clone && make -C clone -o .venv/.ready-dev wheel"
    )
    run("sh", "-c", f"{command} RUN={sys.executable}", cwd=folder)
    [path] = (folder / "clone" / "dist").glob("*.whl")
    return Path(shutil.move(path, folder))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("no git here to clone from")
    return build(tmp_path_factory.mktemp("wheel"), "022")


@pytest.fixture(scope="module")
def scripts(wheel: Path) -> Path:
    """The scripts of an environment that holds the wheel, and the other packages of this one."""
    environment = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=wheel.parent).strip())
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "others.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in sorted(here)))
    return python.parent


def test_a_wheel_holds_every_file(wheel: Path) -> None:
    tracked = run("git", "ls-tree", "-r", "-z", "--name-only", "HEAD", *PACKAGES, cwd=wheel.parent / "clone")
    packed = {name for name in ZipFile(wheel).namelist() if name.split("/")[0] in PACKAGES}
    assert packed == set(tracked.strip("\0").split("\0"))


def test_it_is_the_same_in_another_folder_at_another_time(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    time.sleep(2.1)  # times in a zip file are even seconds
    assert build(tmp_path / "elsewhere" / "deep", "077").read_bytes() == wheel.read_bytes()


def test_its_commands_run_in_an_empty_folder(scripts: Path, tmp_path: Path) -> None:
    home = run(scripts / "python", "-c", "import friends_corpus, builders, train; print(train.__file__)", cwd=tmp_path)
    assert home.startswith(str(scripts.parent))
    listed = run(scripts / "friends-corpus", cwd=tmp_path)
    for name, module in COMMANDS.items():
        assert name in listed
        assert module in run(scripts / "friends-corpus", name, "--help", cwd=tmp_path)
    for package in ("friends_corpus", "builders", "train"):
        assert f"python -m {package}." in run(scripts / "python", "-m", package, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_its_data_is_found(scripts: Path, tmp_path: Path) -> None:
    """The show, the sample, the templates; recipes and bases."""
    run(scripts / "friends-corpus", "build", "--no-cache", cwd=tmp_path)
    assert "0 violations" in run(scripts / "friends-corpus", "check", "friends-lines", cwd=tmp_path)
    script = "from train.settings.recipe import load_recipe; print(load_recipe('chunks', None, {}).base)"
    assert run(scripts / "python", "-c", script, cwd=tmp_path).strip()
