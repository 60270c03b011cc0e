"""python -m train.publish: trained adapters → model repos on the Hub, each as one commit and one tag.

OUT is what train.sft wrote. One OUT goes to USER/NAME; several go to USER/NAME-FOLDER each, FOLDER being the last part
of OUT: `train.publish adapters/lines adapters/chunks ana/friends` → ana/friends-lines and ana/friends-chunks.
Only the adapter, its config, tokenizer, run.json, card, samples and plots are published, never a checkpoint. The card
on the Hub names the repo where the local one names its folder.
The tag is made of the dataset's version and a digest of all that is published (v1.0.0-5f3c9a1e), so that another
training run never collides with it and the same one changes nothing; --version X.Y.Z gives the tag vX.Y.Z instead.
Repos are private unless --public is given. The token comes from HF_TOKEN or from `hf auth login`.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cards.hub.files import Outgoing, ReleaseError, check_secrets, digest_of, machine_places, outgoing, read_outgoing
from cards.hub.release import Release, add_options, connect, open_repo, publishing, put_release, repo_id, show
from friends_corpus.core.files import sha256_of
from friends_corpus.core.reader import json_values, read
from friends_corpus.core.versions import VERSION, version
from train.settings.base_preset import HUB_ID, LOCAL

from .adapters.output_folder import OURS, TOKENIZER
from .adapters.run_record import Marker, Trained

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from cards.hub.client import Patience, Repo

NEEDED = ("adapter_model.safetensors", "adapter_config.json", "run.json", "README.md", "tokenizer_config.json")
MARKER = "adapter_config.json"
QUICK_START = re.compile(
    r'^adapter = "\."  #.*$', re.M
)  # 'adapter = "."  # this folder; …': the card's code says where
TRAINED_ON = re.compile(r'^datasets:\n- ".*"$', re.M)  # 'datasets:\n- "friends-lines"': the card's metadata
BARE_NAME = re.compile(r"[\w.-]+")  # "tiny-llama": a base that came from a folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 published, 1 failed or incomplete, 2 bad usage, 130 interrupted."""
    given = list(sys.argv[1:] if argv is None else argv)
    command = make_parser()
    options = command.parse_args(given)
    if not options.outs and not options.check_access:
        command.error("nothing to publish; give OUT, the output folder of train.sft, before USER/NAME")
    names = [out.resolve().name for out in options.outs]
    if len(set(names)) < len(names):
        command.error("two OUTs have the same folder name and would get the same repo; publish them one by one")

    from cards.hub.client import Patience

    again = f"python -m train.publish {shlex.join(given)}"
    advice = f"all is complete in {', '.join(map(str, options.outs))}; to try again: {again}" if options.outs else ""
    return publishing(lambda: publish(options, connect(), Patience()), advice)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("outs", type=Path, nargs="*", metavar="OUT", help="output folder of train.sft")
    add("repo", type=repo_id, metavar="USER/NAME", help="model repo; NAME alone is in your namespace")
    add("--version", type=version, metavar="X.Y.Z", help="tag vX.Y.Z (default: dataset version and digest)")
    add("--dataset-repo", type=repo_id, metavar="USER/NAME", help="where the dataset trained on is published")
    add("--check-access", action="store_true", help="only look whether USER/NAME can be written; needs no OUT")
    add_options(parser)
    return parser


def publish(options: argparse.Namespace, api: HfApi, patience: Patience) -> None:
    """Publish all adapters, after all of them were checked. Raises ReleaseError."""
    if options.check_access:
        repo = open_repo(api, options.repo, "model", patience)
        info = repo.info()
        if info and not info.private and not options.public:
            raise ReleaseError(f"{repo.id} is public; choose another name, or make it private at {repo.url}/settings")
        print(f"hub       {repo.id} can be written" if info else f"hub       {repo.id} will be created, private")
        return
    for out in options.outs:
        check_weights(out)
    repos = [open_repo(api, target, "model", patience) for target in targets(options.outs, options.repo)]
    prepared = [prepare(out, repo, options.dataset_repo) for out, repo in zip(options.outs, repos, strict=True)]
    for repo, (files, trained_on) in zip(repos, prepared, strict=True):
        tag = f"v{options.version}" if options.version else f"v{trained_on}-{digest_of(files)[:8]}"
        commit = put_release(repo, Release(files, tag, MARKER), options.public, options.yes, options.dry_run)
        if commit is not None:
            check_download(repo, tag, files)
            if options.public:
                show(repo)
            print(f"published {repo.url}/tree/{tag} ({'public' if options.public else 'private'})")


def targets(outs: Sequence[Path], repo: str) -> list[str]:
    """Return the repo of each OUT.

    >>> targets([Path("adapters/lines"), Path("adapters/chunks")], "ana/friends")
    ['ana/friends-lines', 'ana/friends-chunks']
    """
    if len(outs) == 1:
        return [repo]
    try:
        return [repo_id(f"{repo}-{out.resolve().name}") for out in outs]
    except argparse.ArgumentTypeError as error:
        raise ReleaseError(f"{error}, or publish the folders one by one") from None


def check_weights(out: Path) -> None:
    """Raise ReleaseError unless `out` is a complete adapter of ours with finite weights."""
    missing = [name for name in NEEDED if not (out / name).is_file()]
    if missing:
        raise ReleaseError(f"{out} holds no {missing[0]}, so no finished run of train.sft; train again or check OUT")

    import torch  # only now: it takes seconds, and the mistakes above come first
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = out / "adapter_model.safetensors"
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ReleaseError(f"{path}: cannot be read ({error}); train again") from None
    bad = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if bad or not weights:
        raise ReleaseError(f"{path}: {bad[0] if bad else 'no weight'} is not finite; train again, at a lower rate")


def prepare(out: Path, repo: Repo, dataset_repo: str | None) -> tuple[list[Outgoing], str]:
    """Return the files to publish, with the card as it reads on the Hub, and the dataset's version or 0."""
    allowed = [name for name in OURS + TOKENIZER if (out / name).exists()]
    allowed += [path.relative_to(out).as_posix() for path in sorted(out.glob("plots/*.png"))]
    left = sorted(path.name for path in out.iterdir() if path.name not in {*allowed, "plots"})
    if left:
        print(f"left out  {', '.join(left)}: not of what is published")
    files = {file.path: file for file in read_outgoing(out, allowed)}
    base = read(out / MARKER, json_values, Marker, "train again")["base_model_name_or_path"]
    dataset = read(out / "run.json", json_values, Trained, "it is not what train.sft writes; train again")["dataset"]
    if not (base == LOCAL or HUB_ID.fullmatch(base) or BARE_NAME.fullmatch(base)):
        raise ReleaseError(f"{out / MARKER}: the base is {base!r}, not a name that others can load; train again")
    if dataset_repo and "/" not in dataset_repo:
        dataset_repo = f"{repo.id.partition('/')[0]}/{dataset_repo}"
    card = card_on_hub(out, files["README.md"].content.decode(), repo.id, dataset["name"], dataset_repo)
    files["README.md"] = outgoing("README.md", card.encode())
    check_secrets(files.values(), str(repo.api.token), machine_places(out))
    trained_on = str(dataset.get("version"))
    return list(files.values()), trained_on if VERSION.fullmatch(trained_on) else "0"


def card_on_hub(out: Path, card: str, repo: str, trained_on: str, dataset_repo: str | None) -> str:
    """Return the card for a repo: its code loads the adapter from there, its metadata links the dataset."""
    card, times = QUICK_START.subn(lambda _: f"adapter = {json.dumps(repo)}", card)
    if times != 1:
        raise ReleaseError(f"{out / 'README.md'}: no single line 'adapter = \".\"' in it; publish the card as written")
    if dataset_repo:
        card, times = TRAINED_ON.subn(lambda _: f"datasets:\n- {json.dumps(dataset_repo)}", card)
        if times != 1:
            raise ReleaseError(f"{out / 'README.md'}: no 'datasets:' in its metadata; publish the card as written")
        card = card.replace(f"of the dataset `{trained_on}`", f"of the dataset `{dataset_repo}`", 1)
    return card


def check_download(repo: Repo, tag: str, files: Sequence[Outgoing]) -> None:
    """Download the tag into an empty cache and compare. Raises ReleaseError."""
    with tempfile.TemporaryDirectory(prefix="friends-corpus-") as cache:
        fetched = Path(repo.download(tag, cache))
        for file in files:
            if sha256_of(fetched / file.path) != file.sha256:
                raise ReleaseError(f"{repo.id}: {file.path} at {tag} comes back changed; run the same command again")
    print(f"fetched   {len(files)} files from {tag}, the same bytes")


if __name__ == "__main__":
    sys.exit(main())
