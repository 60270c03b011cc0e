"""The loss of real replies: rows of the dataset's config `chat` from held-out episodes, under every model.

Only the words of the reply count, not its end: whether a model stops is a metric of its own, and an adapter trained on
whole scenes would be charged for it twice. Nothing of a reply is kept but its loss.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.files import sha256_of
from friends_corpus.core.ids import episode_of, scene_of
from train.adapters.run_record import Run
from train.dataset.loading import DEFAULT, download, find_data, read_rows
from train.generation.generator import TextGenerator

from .bootstrap import FEWEST, Measured
from .journal import Journal
from .progress import bar

CONFIG, SPLITS = "chat", ("validation", "test")  # both are held out, and either alone has few episodes
SEED = 0  # of the choice of rows


@dataclass(frozen=True)
class Reply:
    """What was said before a line, and the line. `id` is that of the line: s01e01_c03_u0012."""

    id: str
    prompt: tuple[dict[str, str], ...]
    text: str


class Scored(TypedDict):
    """Of how many replies and tokens the loss is, and the clusters (episodes or scenes) of its interval."""

    rows: int
    tokens: int
    clusters: str
    names: list[str]


def find_replies(name: str | None, most: int) -> Path | str | None:
    """Find the dataset with real replies, or None if there is none or it is not wanted. Raises InputError."""
    if not most or (name is None and not splits_of(Path(DEFAULT))):
        return None
    dataset = find_data(name)
    if splits_of(dataset):
        return dataset
    if not any(Path(dataset).glob("*/*.parquet")):
        raise InputError(
            f"{dataset} is no dataset folder (no CONFIG/*.parquet); make one with `python -m builders.build`"
        )
    return None


def splits_of(dataset: Path | str) -> list[str]:
    """Return the held-out splits that have rows of the config; a Hub id is assumed to have all."""
    if isinstance(dataset, str):
        return list(SPLITS)
    return [split for split in SPLITS if any((dataset / CONFIG).glob(f"{split}-*.parquet"))]


def load_replies(dataset: Path | str, most: int) -> list[Reply]:
    """Load a sample of the held-out rows, the same for the same dataset. Raises InputError."""
    import datasets

    splits = read_rows(dataset if isinstance(dataset, Path) else download(dataset, CONFIG)[0], CONFIG)
    try:
        rows: Any = datasets.concatenate_datasets([splits[split] for split in SPLITS if split in splits])
        rows = rows.select_columns(["id", "prompt", "completion"])
    except ValueError as error:
        raise InputError(
            f"cannot load the config {CONFIG!r} of {dataset}; build it anew or leave out --data ({in_short(error)})"
        ) from None
    chosen = rows.shuffle(seed=SEED).select(range(min(most, len(rows))))
    return [Reply(row["id"], tuple(row["prompt"]), row["completion"][0]["content"]) for row in chosen]


def fingerprint(replies: Sequence[Reply]) -> str:
    """Return the sha256 of all replies, in order."""
    return hashlib.sha256(repr(list(replies)).encode()).hexdigest()


def loss(generator: TextGenerator, reply: Reply) -> tuple[dict[str, float], int]:
    """Return the loss of a reply under each model, in nats summed over its tokens, and their number."""
    import torch

    tokenizer = generator.tokenizer
    reply_ids = tokenizer(reply.text, add_special_tokens=False)["input_ids"][: generator.context_length // 2]
    read = tokenizer(generator.render(reply.prompt), add_special_tokens=False)["input_ids"]
    ids = torch.tensor([read[-(generator.context_length - len(reply_ids)) :] + reply_ids], device=generator.device.kind)
    losses: dict[str, float] = {}
    for names in generator.groups:
        with generator.speaking(names) as named:
            rows = ids.expand(len(names), -1)
            logits = generator.model(input_ids=rows, use_cache=False, logits_to_keep=len(reply_ids) + 1, **named).logits
        scores = torch.log_softmax(logits[:, :-1].float(), dim=-1)
        sums = -scores[:, torch.arange(len(reply_ids)), ids[0, -len(reply_ids) :]].sum(dim=1)
        losses |= zip(names, sums.tolist(), strict=True)
    return losses, len(reply_ids)


class Losses(TypedDict):
    """What is kept of a reply: its loss with each arm, in nats per token."""

    losses: dict[str, float]
    tokens: Annotated[int, Field(gt=0)]


def by_cluster(
    losses: Mapping[str, tuple[Mapping[str, float], int]], cluster_of: Callable[[str], str], arms: Sequence[str]
) -> tuple[list[str], Measured]:
    """Return the clusters, and for each arm their loss per token and number of tokens.

    `losses` is reply id → (arm → loss, tokens).

    >>> names, found = by_cluster({"a_1": ({"base": 2.0}, 1), "a_2": ({"base": 1.0}, 2)}, lambda id: id[0], ["base"])
    >>> names, found.values["base"].tolist(), found.weights.tolist()
    (['a'], [1.0], [3.0])
    """
    names, indices = np.unique([cluster_of(reply) for reply in losses], return_inverse=True)
    tokens = np.bincount(indices, [count for _, count in losses.values()]).astype(float)
    sums = {arm: np.bincount(indices, [of_arms[arm] for of_arms, _ in losses.values()]) for arm in arms}
    return names.tolist(), Measured({arm: of_all / tokens for arm, of_all in sums.items()}, "nats", tokens)


def score(generator: TextGenerator, replies: Sequence[Reply], journal: Journal) -> tuple[Measured, Scored]:
    """Compute the metric by episode, or by scene if there are too few, and describe its data."""
    for reply in bar([reply for reply in replies if (reply.id,) not in journal.records], "replies"):
        losses, tokens = loss(generator, reply)
        journal.add([((reply.id,), {"losses": losses, "tokens": tokens})])
    per_model = {
        reply.id: (journal.records[reply.id,]["losses"], journal.records[reply.id,]["tokens"]) for reply in replies
    }
    episodes = len({episode_of(reply.id) for reply in replies})
    clusters, cluster_of = ("episode", episode_of) if episodes >= FEWEST else ("scene", scene_of)
    names, measured = by_cluster(per_model, cluster_of, generator.names)
    tokens = sum(count for _, count in per_model.values())
    return measured, {"rows": len(per_model), "tokens": tokens, "clusters": clusters, "names": names}


def notes_on(dataset: Path | str | None, scored: Scored | None, runs: Mapping[str, Run]) -> list[str]:
    """Return what a reader of the report has to know about the replies."""
    if scored is None:
        return ["no dataset with held-out rows of the config chat: the loss of real replies was not measured"]
    notes = []
    if scored["clusters"] == "scene":
        notes.append("the held-out episodes are too few: the interval of the loss of real replies is over their scenes")
    manifest = Path(dataset or "", "manifest.json")
    if manifest.is_file():
        digest = sha256_of(manifest)
        if other := [name for name, run in runs.items() if run["dataset"].get("manifest_sha256") != digest]:
            notes.append(
                f"{', '.join(other)} was trained on another build of the dataset, which may contain these replies"
            )
    return notes
