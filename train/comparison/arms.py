"""The adapters of a comparison: their names, their training, and whether they can be compared."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, did_you_mean
from train.adapters.run_record import Run
from train.generation.generator import BASE, with_values

from .verdicts import ARMS, TUNED

TOLERANCE = 0.01  # by which trained tokens may differ from their mean
MORE_STEPS = 1.5  # times the steps of another adapter are worth a note
ALIKE = (  #
    "sft.learning_rate",
    "sft.lr_scheduler_type",
    "sft.seed",
    "lora.r",
    "lora.lora_alpha",
    "lora.target_modules",
    "lora.use_rslora",
    "lora.use_dora",
)  # what should not differ
CLEAN = "_clean"  # ends the name of an arm trained on CLEANED, beside one of the same config trained on PRINTED
CLEANED, PRINTED = "text", "text_with_directions"


class AdapterFacts(TypedDict):
    """What results.json keeps of a run.json."""

    dataset: str
    config: str
    text_field: str | None
    trained_tokens: int | None
    steps: int | None
    losses: Mapping[str, float | None] | None


def read_adapters(given: Iterable[str]) -> dict[str, Path]:
    """Name → folder, in the order given. Raises InputError.

    >>> read_adapters(["chat=adapters/chat"])
    {'chat': PosixPath('adapters/chat')}
    """
    adapters: dict[str, Path] = {}
    for entry in given:
        name, _, folder = entry.partition("=")
        if not (name and folder):
            raise InputError(f"--adapters {entry!r}: write NAME=FOLDER, such as chunks=adapters/chunks")
        if name == BASE or name in adapters:
            raise InputError(f"--adapters {entry!r}: {name!r} is taken; choose another name")
        adapters[name] = Path(folder)
    return adapters


def check_runs(runs: Mapping[str, Run], any_budget: bool) -> list[str]:
    """Return notes for the report. Raises InputError if names or budgets would make the verdicts wrong."""
    for name, run in runs.items():
        config = run["dataset"]["config"]
        if name in ARMS and name.removesuffix(CLEAN) != config:
            raise InputError(f"the adapter called {name} was trained on the config {config!r}; call it by that name")
        expected = CLEANED if name.endswith(CLEAN) else PRINTED if name + CLEAN in runs else column(run)
        if column(run) != expected:
            plain = name.removesuffix(CLEAN)
            raise InputError(
                f"{name} was trained on the column {column(run)}, but {plain} and {plain}{CLEAN} differ by what "
                f"cleaning changes; train it with --text-field {expected}, or call it by another name"
            )
    trained_tokens = {name: trained(run) for name, run in runs.items()}
    notes = []
    if not equal(trained_tokens.values()):
        counts = {name: f"{tokens:,}" if tokens else "unknown" for name, tokens in trained_tokens.items()}
        unequal = f"the adapters were not trained on equally many tokens: {with_values(counts)}"
        if not any_budget:
            raise InputError(f"{unequal}; train with the same --max-tokens, or add --any-budget")
        notes.append(f"{unequal}. A difference may come from that")
    steps = {name: taken for name, run in runs.items() if (taken := run.get("steps"))}
    if steps and max(steps.values()) > MORE_STEPS * min(steps.values()):
        notes.append(
            f"for their tokens the adapters took unequal numbers of steps: {with_values(steps)}. A difference may come "
            "from that"
        )
    for key in ALIKE:
        values = {name: setting_of(run, *key.split(".")) for name, run in runs.items()}
        if len(set(map(str, values.values()))) > 1:
            notes.append(f"the adapters were trained alike but for {key}: {with_values(values)}")
    columns = {name: column(run) for name, run in runs.items() if name in TUNED}
    if len(set(columns.values())) > 1:
        notes.append(
            f"the adapters were trained on different columns: {with_values(columns)}. A difference may come from that"
        )
    if len({run["dataset"].get("manifest_sha256") for run in runs.values()}) > 1:
        notes.append("the adapters were trained on different builds of the dataset")
    return notes + [
        f"{name} is no arm of any claim{did_you_mean(name, ARMS)}; it is measured and not judged"
        for name in runs
        if name not in ARMS
    ]


def setting_of(run: Run, section: str, field: str) -> object:
    """Return a setting of the recipe; None where it is not recorded."""
    sections: dict[str, Any] = {**run["recipe"]}
    return sections.get(section, {}).get(field)


def column(run: Run) -> str | None:
    """Return the column that was trained on: text or text_with_directions."""
    return run["dataset"].get("text_field")


def budget(runs: Mapping[str, Run]) -> int | None:
    """Return the mean of the adapters' trained tokens, or None if they differ too much.

    >>> budget({"lines": {"trained_tokens": 1000}, "chunks": {"trained_tokens": 1006}}), budget({"lines": {}})
    (1003, None)
    """
    trained_tokens = [trained(run) for run in runs.values()]
    return round(sum(trained_tokens) / len(trained_tokens)) if equal(trained_tokens) else None


def trained(run: Run) -> int:
    """Return the trained tokens of a run, 0 if unknown."""
    return run.get("trained_tokens") or 0


def equal(trained_tokens: Collection[int]) -> bool:
    """Tell whether numbers of tokens are known and within TOLERANCE of their mean.

    >>> equal([1000, 1020]), equal([1000, 1030]), equal([0, 0])
    (True, False, False)
    """
    mean = sum(trained_tokens) / len(trained_tokens)
    return min(trained_tokens) > 0 and all(abs(tokens - mean) <= TOLERANCE * mean for tokens in trained_tokens)


def facts(run: Run) -> AdapterFacts:
    """Return what results.json keeps of a run.json."""
    dataset = run["dataset"]
    return {
        "dataset": " ".join(filter(None, (dataset.get("name"), dataset.get("version")))),
        "config": dataset["config"],
        "text_field": column(run),
        "trained_tokens": run.get("trained_tokens"),
        "steps": run.get("steps"),
        "losses": run.get("losses"),
    }
