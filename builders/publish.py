"""python -m builders.publish: publish a dataset folder to a dataset repo on the Hub, as one commit and one tag.

The folder must be what its manifest says, and sound (as python -m builders.check sees it). The tag is the manifest's
version, v1.0.0, and never moves: other content needs another --version when the folder is built. The same content once
more changes nothing. Afterwards every config is loaded from the tag with an empty cache and compared with the folder.
Repos are private unless --public is given. The token comes from HF_TOKEN or from `hf auth login`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cards.hub.files import ReleaseError
from cards.hub.release import add_options, publishing, repo_id

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from cards.hub.client import Patience, Repo
    from cards.hub.files import Outgoing
    from friends_corpus.core.manifest import Manifest

ROOM = 4  # reading back needs about this many times the size of the release: downloads and their Arrow copies
LOADING, LOADINGS = 600, 4  # seconds for all configs, and how often that is tried
KEYS = ("id", "speaker_id")
OWN_CACHES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_XET_CACHE", "HF_MODULES_CACHE")
READ_BACK = "import sys; from builders.publish import read_back; read_back(*sys.argv[1:])"
Digests = dict[str, dict[str, list[Any]]]  # config → split → [rows, sha256 of the ids in order]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 published, 1 failed or incomplete, 2 bad usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(given)

    from cards.hub.client import Patience
    from cards.hub.release import connect

    def work() -> None:
        manifest, problems = check(options.folder)
        if problems:
            print("\n".join(problems))
            raise ReleaseError(f"{options.folder} is damaged or does not match its manifest; build it again")
        publish(options, manifest, connect(), Patience())

    again = f"python -m builders.publish {shlex.join(given)}"
    return publishing(work, f"the folder is unchanged; to try again: {again}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m builders.publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="dataset folder, as written by builders.build")
    parser.add_argument("repo", type=repo_id, metavar="USER/NAME", help="dataset repo; NAME alone is in your namespace")
    add_options(parser)
    return parser


def check(folder: Path) -> tuple[Manifest, list[str]]:
    """Return the manifest, and one line for each problem of the folder. Raises InputError without a manifest."""
    from .check import check_folder, describe_violations
    from .folder.manifest import need_manifest

    manifest = need_manifest(folder)
    return manifest, list(describe_violations(check_folder(folder).violations))


def publish(options: argparse.Namespace, manifest: Manifest, api: HfApi, patience: Patience) -> None:
    """Publish a checked folder and verify the release. Raises ReleaseError."""
    from cards.hub.files import check_secrets, machine_places, read_outgoing
    from cards.hub.release import Release, open_repo, put_release, show
    from friends_corpus.core.manifest import MANIFEST

    from .folder.manifest import files_of

    folder, tag = options.folder, f"v{manifest['version']}"
    files = read_outgoing(folder, files_of(folder))
    for file in files:
        if file.path != MANIFEST and file.sha256 != manifest["files"][file.path]["sha256"]:
            raise ReleaseError(f"{folder / file.path} changed while it was read; build the folder again")
    places = machine_places(folder)
    check_secrets(files, str(api.token), places)
    check_secrets(unpacked(files), str(api.token), places)
    check_room(files)
    repo = open_repo(api, options.repo, "dataset", patience)
    commit = put_release(repo, Release(files, tag, MANIFEST), options.public, options.yes, options.dry_run)
    if commit is None:
        return
    expected = digests(manifest, files)
    loaded = load_again(repo, tag, list(expected), patience)
    if loaded != expected:
        wrong = [config for config in expected if loaded.get(config) != expected[config]]
        raise ReleaseError(
            f"{repo.id} at {tag}: config {wrong[0]} loads different rows than {folder} holds; compare the two"
        )
    for config, splits in expected.items():
        print(f"loaded    {config}: {sum(rows for rows, _ in splits.values()):,} rows, the same as in the folder")
    if options.public:
        show(repo)
    print(f"published {repo.url}/tree/{tag} ({'public' if options.public else 'private'})")
    print(f'          load_dataset("{repo.id}", "{next(iter(expected))}", revision="{tag}")')


def unpacked(files: Iterable[Outgoing]) -> Iterable[Outgoing]:
    """Yield the rows of the Parquet files as text: the scan for secrets cannot see compressed ones."""
    from cards.hub.files import outgoing
    from friends_corpus.core.parquet import read_rows

    for file in files:
        if file.path.endswith(".parquet"):
            text = "\n".join(json.dumps(row, ensure_ascii=False) for row in read_rows(Path(file.path), file.content))
            yield outgoing(f"{file.path} (rows as lines)", text.encode())


def check_room(files: Sequence[Outgoing]) -> None:
    """Check that there is disk space to read the release back. Raises ReleaseError."""
    from shutil import disk_usage

    needed = ROOM * sum(file.size for file in files)
    folder = tempfile.gettempdir()
    if disk_usage(folder).free < needed:
        raise ReleaseError(
            f"{folder}: reading the release back needs {needed / 1e6:,.0f} MB; set TMPDIR to another disk"
        )


def digests(manifest: Manifest, files: Sequence[Outgoing]) -> Digests:
    """Return what must come back: the row counts of the manifest and a hash of the ids that were sent."""
    from friends_corpus.core.parquet import read_rows

    contents = {file.path: file.content for file in files}
    return {
        config: {
            split: [
                entry["rows"],
                digest(row[key_of(row)] for row in read_rows(Path(entry["path"]), contents[entry["path"]])),
            ]
            for split, entry in described["splits"].items()
        }
        for config, described in manifest["configs"].items()
    }


def key_of(columns: Iterable[str]) -> str:
    """Return the column that names a row: "id", or "speaker_id" in the table of speakers."""
    return next(name for name in columns if name in KEYS)


def digest(ids: Iterable[str]) -> str:
    """Return a hash of ids in their order.

    >>> digest(["a", "b"])[:8]
    '7e18f737'
    """
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def load_again(repo: Repo, tag: str, configs: Sequence[str], patience: Patience) -> Digests:
    """Load every config from the tag as a new user would: in another process, with an empty cache."""
    code_of_ours = str(Path(__file__).resolve().parents[1])
    patience = replace(patience, tries=min(patience.tries, LOADINGS))
    tried = 0
    while True:
        tried += 1
        with tempfile.TemporaryDirectory(prefix="friends-corpus-") as home:
            environment = {
                **{name: value for name, value in os.environ.items() if name not in OWN_CACHES},
                "HF_HOME": home,
                "HF_ENDPOINT": repo.api.endpoint,
                "HF_TOKEN": str(repo.api.token),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, [code_of_ours, os.environ.get("PYTHONPATH")])),
            }
            command = [sys.executable, "-c", READ_BACK, repo.id, tag, *configs]
            try:
                done = subprocess.run(
                    command, cwd=home, env=environment, capture_output=True, text=True, timeout=LOADING, check=True
                )
                return cast(Digests, json.loads(done.stdout.splitlines()[-1]))
            except subprocess.CalledProcessError as error:
                failed = RuntimeError((error.stderr.strip().splitlines() or ["no message"])[-1])
            except subprocess.TimeoutExpired:
                failed = RuntimeError(f"no result after {LOADING} s")
        if not patience.pause(tried, failed, f"{repo.id}: load {tag}"):
            reason = str(failed).replace(str(repo.api.token), "***")[:300]
            raise ReleaseError(f"{repo.id}: {tag} is published, but loading it failed: {reason}; run the command again")


def read_back(repo: str, tag: str, *configs: str) -> None:
    """Print what `load_dataset` returns for these configs as JSON; runs in the process of `load_again`."""
    import datasets

    datasets.disable_progress_bars()
    tables = {}
    for config in configs:
        splits = datasets.load_dataset(repo, config, revision=tag)
        tables[config] = {
            split: [rows.num_rows, digest(rows[key_of(rows.column_names)])] for split, rows in splits.items()
        }
    print(json.dumps(tables))


if __name__ == "__main__":
    sys.exit(main())
