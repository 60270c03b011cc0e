"""The values of cards/templates/dataset.md: statistics, examples and the YAML metadata."""

import json
from collections.abc import Mapping

from datasets import DatasetInfo, SplitDict
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData

from builders.configs.chat import EARLIER_CHARACTERS, EARLIER_LINES
from builders.configs.lines import Row
from builders.configs.schema import CONFIGS, meaning, type_name
from cards.render import render
from friends_corpus.core.cli import shorten
from friends_corpus.core.manifest import Config, Manifest, Split, SplitFile
from friends_corpus.show.config import About, about

from .page_stats import DROPPED, REASONS, WHERE
from .plots import plots
from .stats import Stats

DEFAULT_CONFIG = "lines"  # the plainest rows: what the viewer and a bare load_dataset("friends-lines") should show
EXAMPLE_CHARACTERS = 160
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}
CARD_SPEAKERS = 12


def render_card(manifest: Manifest, stats: Stats, examples: Mapping[str, Row]) -> str:
    """Render the dataset card. `examples`: config → a row; text from pages is escaped by the template."""
    show, configs, pages = about(manifest["show"]), manifest["configs"], manifest["pages"]
    values = {
        **{key: manifest[key] for key in ("version", "sample", "parameters", "software", "configs", "failed_pages")},
        "metadata": metadata(configs, show).to_yaml(),
        "show": show,
        "default_config": DEFAULT_CONFIG,
        "rows": {config: CONFIGS[config].row.format(**manifest["parameters"]) for config in configs},
        "fields": {config: field_table(config, examples[config]) for config in configs},
        "stats": stats,
        "kinds": [
            (kind, counts, WHERE.get(kind, "in no row"))
            for kind, counts in stats["segments"].items()
            if DROPPED not in kind
        ],
        "dropped": [(reason, counts, REASONS.get(reason, "")) for reason, counts in stats["dropped"].items()],
        "chat": {"earlier_lines": EARLIER_LINES, "earlier_characters": EARLIER_CHARACTERS},
        "leakage": stats["leakage"],
        "plots": plots(stats["dropped"]),
        "top_speakers": stats["speakers"][:CARD_SPEAKERS],
        "not_shipped": [page for page in pages if "reason" in page],
        "train_only": sorted(page["episode"] for page in pages if page.get("repeats")),
    }
    return render("dataset.md", values)


def metadata(configs: Mapping[str, Config], show: About) -> DatasetCardData:
    """Return the YAML metadata of the card, from which the Hub and `load_dataset` read configs, splits and types."""
    rows = max(sum(file["rows"] for file in config["splits"].values()) for config in configs.values())
    data = DatasetCardData(
        pretty_name=f"{show.title} lines",
        language=["en"],
        license="other",
        license_name="scripts-and-transcripts-belong-to-their-owners",
        task_categories=["text-generation"],
        annotations_creators=["machine-generated"],
        language_creators=["found"],
        multilinguality=["monolingual"],
        source_datasets=["original"],
        size_categories=[size_category(rows)],
        tags=["dialogue", "screenplay", "television", show.slug],
    )
    infos = {name: dataset_info(name, config["splits"]) for name, config in configs.items()}
    DatasetInfosDict(infos).to_dataset_card_data(data)
    data["configs"] = [
        {
            "config_name": name,
            **({"default": True} if name == DEFAULT_CONFIG else {}),
            # Derived from the content: `datasets` decides by this YAML alone whether its cached copy is still good.
            "version": config["version"],
            "data_files": [{"split": split, "path": file["path"]} for split, file in config["splits"].items()],
        }
        for name, config in configs.items()
    ]
    return data


def dataset_info(config: str, splits: Mapping[Split, SplitFile]) -> DatasetInfo:
    """Return the types and sizes of a config; `datasets` refuses to load if a row count is wrong."""
    sizes = [{"name": name, "num_bytes": f["arrow_bytes"], "num_examples": f["rows"]} for name, f in splits.items()]
    return DatasetInfo(
        features=CONFIGS[config].features,
        splits=SplitDict.from_split_dict(sizes),
        download_size=sum(file["bytes"] for file in splits.values()),
        dataset_size=sum(file["arrow_bytes"] for file in splits.values()),
    )


def size_category(rows: int) -> str:
    """Return the Hub's size category for a number of rows.

    >>> size_category(60_000)
    '10K<n<100K'
    """
    return next((word for limit, word in SIZES.items() if rows < limit), "n>1M")


def field_table(config: str, example: Row) -> list[dict[str, str]]:
    """Return for every column its name, type, meaning and value in the example row."""
    return [
        {
            "name": column,
            "type": type_name(config, column),
            "meaning": meaning(config, column),
            "example": shorten(json.dumps(value, ensure_ascii=False), EXAMPLE_CHARACTERS),
        }
        for column, value in example.items()
    ]
