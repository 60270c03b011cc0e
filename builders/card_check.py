"""The card and stats.json against the rows: versions and files by which `datasets` loads, and the numbers shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard

from .integrity import Part
from .manifest import content_version, sha256_of
from .violation import Violation
from .write import CARD, STATS


def check_card(folder: Path, manifest: Mapping[str, Any], parts: Sequence[Part]) -> list[Violation]:
    """Empty where the card's metadata and the statistics say what the folder holds."""
    found = [*check_stats(folder, manifest, parts)]
    if not (folder / CARD).is_file():
        return found  # named by check_files
    try:
        data = DatasetCard.load(folder / CARD).data.to_dict()
        configs = {config["config_name"]: config for config in data["configs"]}
        infos = data.get("dataset_info") or []
        sizes = {info["config_name"]: info for info in (infos if isinstance(infos, list) else [infos])}
    except Exception as error:  # whatever YAML and the Hub's classes find wrong in an edited card
        return [*found, Violation(CARD, "its metadata cannot be read", detail=f"{type(error).__name__}: {error}")]
    for name, described in manifest["configs"].items():
        if name not in configs or name not in sizes:
            found.append(Violation(CARD, f"config {name} is not in its metadata"))
        else:
            found += check_config(folder, name, described, configs[name], sizes[name])
    return found


def check_config(
    folder: Path, name: str, described: Mapping[str, Any], config: Mapping[str, Any], info: Mapping[str, Any]
) -> Iterator[Violation]:
    """One config of the card: its version follows from the files that are there, its files and row counts agree."""
    paths = {split: entry["path"] for split, entry in described["splits"].items()}
    if all((folder / path).is_file() for path in paths.values()):
        version = content_version(f"{split} {sha256_of(folder / path)}" for split, path in paths.items())
        if config.get("version") != version:
            yield Violation(CARD, f"config {name} has version {config.get('version')}, its files make it {version}")
    listed = {file["split"]: file["path"] for file in config["data_files"]}
    if listed != paths:
        yield Violation(CARD, f"config {name} lists other files than the manifest")
    rows = {split["name"]: split["num_examples"] for split in info["splits"]}
    if rows != {split: entry["rows"] for split, entry in described["splits"].items()}:
        yield Violation(CARD, f"config {name} has other row counts than the manifest")


def check_stats(folder: Path, manifest: Mapping[str, Any], parts: Sequence[Part]) -> Iterator[Violation]:
    """The totals of stats.json, which the card prints, are those of the rows."""
    try:
        total = json.loads((folder / STATS).read_text(encoding="utf-8"))["total"]
    except FileNotFoundError:
        return  # named by check_files
    except (ValueError, KeyError, TypeError):
        yield Violation(STATS, "cannot be read")
        return
    for config in ("lines", "chunks", "chat"):
        read = [len(part.rows) for part in parts if part.config == config]
        splits = manifest["configs"].get(config, {"splits": {}})["splits"]
        if len(read) == len(splits) and sum(read) != total.get(config):
            yield Violation(STATS, f"says {total.get(config)} {config}, there are {sum(read)}")
