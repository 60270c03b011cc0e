"""Compare a config of two builds: columns and rows that were added, removed or changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from builders.configs.lines import Row
from friends_corpus.core.manifest import Split, SplitFile
from friends_corpus.core.parquet import read_table

SPLIT = "split"  # compared like a column: a row that moves leaks into what was held out
Types = Mapping[str, Mapping[str, str]]  # split → column → type
Config = tuple[Types, dict[str, Row]]  # and id → row with its split


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """`schema`: one phrase per difference; `added`, `removed`: ids; `changed`: id → columns with another value."""

    rows_old: int
    rows_new: int
    schema: Sequence[str]
    added: Sequence[str]
    removed: Sequence[str]
    changed: Mapping[str, Sequence[str]]
    reordered: bool

    def step(self) -> str:
        """Return the version step that the changes need: "major", "minor", "patch" or "none"."""
        if self.schema:
            return "major"
        if self.added or self.removed or any(SPLIT in columns for columns in self.changed.values()):
            return "minor"
        return "patch" if self.changed or self.reordered else "none"

    def columns(self) -> dict[str, list[str]]:
        """Map each changed column to the ids of the rows that changed."""
        changes: dict[str, list[str]] = {}
        for id, columns in self.changed.items():
            for column in columns:
                changes.setdefault(column, []).append(id)
        return changes

    def to_json(self) -> dict[str, Any]:
        """Return the changes as plain JSON values."""
        return {"step": self.step(), **asdict(self)}


def read_config(folder: Path, splits: Mapping[Split, SplitFile]) -> Config:
    """Read the types and rows of a config. Raises ValueError for a damaged file or a duplicate id."""
    types: dict[str, dict[str, str]] = {}
    rows: dict[str, Row] = {}
    for split, entry in splits.items():
        path = folder / entry["path"]
        table = read_table(path)
        key = next((name for name in ("id", "speaker_id") if table.schema.names.count(name) == 1), "")
        if not key or str(table.schema.field(key).type) != "string":
            raise ValueError(f"{path}: no text column id")
        types[split] = {field.name: str(field.type) for field in table.schema}
        for row in table.to_pylist():
            if row[key] in rows:
                raise ValueError(f"{path}: duplicate id {row[key]}")
            rows[row[key]] = row | {SPLIT: split}
    return types, rows


def compare_config(old: Config | None, new: Config | None) -> ConfigChanges:
    """Compare a config of two folders; a side is None if it lacks the config.

    >>> types = {"train": {"id": "string", "text": "string"}}
    >>> before = types, {"a": {"id": "a", "text": "Hi."}, "b": {"id": "b", "text": "Oh."}}
    >>> after = types, {"a": {"id": "a", "text": "Hi!"}, "c": {"id": "c", "text": "Oh."}}
    >>> changes = compare_config(before, after)
    >>> changes.added, changes.removed, changes.changed, changes.step()
    (['c'], ['b'], {'a': ['text']}, 'minor')
    >>> compare_config(before, None).step(), compare_config(None, before).step()
    ('major', 'minor')
    """
    types_old, rows_old = old or ({}, {})
    types_new, rows_new = new or ({}, {})
    schema = compare_schema(types_old, types_new) if old and new else [] if new else ["the config was removed"]
    kept_old = [id for id in rows_old if id in rows_new]
    kept_new = [id for id in rows_new if id in rows_old]
    changed = {
        id: [name for name in rows_new[id] if rows_old[id].get(name, rows_new[id][name]) != rows_new[id][name]]
        for id in kept_new
        if rows_old[id] != rows_new[id]
    }
    return ConfigChanges(
        rows_old=len(rows_old),
        rows_new=len(rows_new),
        schema=schema,
        added=[id for id in rows_new if id not in rows_old],
        removed=[id for id in rows_old if id not in rows_new],
        changed={id: names for id, names in changed.items() if names},
        reordered=kept_old != kept_new and not any(SPLIT in names for names in changed.values()),
    )


def compare_schema(old: Types, new: Types) -> list[str]:
    """List the differences between the columns of each split; name the splits if they disagree.

    A split that only one side has is compared with any of the other's.

    >>> before, after = {"id": "string"}, {"id": "string", "cue": "string"}
    >>> compare_schema({"train": before, "test": before}, {"train": after, "test": after})
    ["column 'cue' was added"]
    >>> compare_schema({"train": before, "test": before}, {"train": before, "test": after})
    ["in test: column 'cue' was added"]
    """
    any_old, any_new = next(iter(old.values())), next(iter(new.values()))
    splits: dict[str, list[str]] = {}
    all_splits = {**old, **new}
    for split in all_splits:
        for difference in compare_types(old.get(split, any_old), new.get(split, any_new)):
            splits.setdefault(difference, []).append(split)
    return [
        difference if len(changes) == len(all_splits) else f"in {' and '.join(changes)}: {difference}"
        for difference, changes in splits.items()
    ]


def compare_types(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """List the columns that were added, removed, retyped or moved.

    >>> compare_types({"id": "string", "cue": "string"}, {"id": "string", "scene": "int32"})
    ["column 'scene' was added", "column 'cue' was removed"]
    """
    changes = [f"column {name!r} was added" for name in new if name not in old]
    changes += [f"column {name!r} was removed" for name in old if name not in new]
    changes += [
        f"column {name!r} changed its type from {old[name]} to {new[name]}"
        for name in new
        if old.get(name, new[name]) != new[name]
    ]
    if not changes and list(old) != list(new):
        changes.append("the columns are in another order")
    return changes
