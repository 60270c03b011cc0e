"""Check that manifest.json does not contradict itself about files, configs, splits and pages."""

from collections import Counter
from collections.abc import Iterator

from builders.configs.chat import ALL
from builders.configs.schema import CONFIGS
from builders.folder.violation import Violation
from builders.folder.write import CARD, STATS, parquet_path
from builders.page_cache.select_pages import is_sample
from builders.reports.croissant import CROISSANT
from builders.reports.plots import plots
from builders.reports.quality import REPORT
from friends_corpus.core.manifest import MANIFEST, Manifest, content_version
from friends_corpus.show.config import about


def check_config_names(manifest: Manifest) -> list[Violation]:
    """Check the names of the configs; `chat` may be missing if it has no rows."""
    names = manifest["configs"].keys()
    missing = [
        f"configs: {name!r} is missing"
        for name, config in CONFIGS.items()
        if name not in names and not config.may_be_missing
    ]
    unknown = [f"configs: {name!r} is unknown" for name in names if name not in CONFIGS]
    return [Violation(MANIFEST, fault) for fault in missing + unknown]


def check_listing(manifest: Manifest) -> list[Violation]:
    """Run all checks that need only the manifest, once its schema is valid."""
    rules = (check_names, check_listed_files, check_configs, check_pages, check_splits)
    return [Violation(MANIFEST, fault) for rule in rules for fault in rule(manifest)]


def check_names(manifest: Manifest) -> Iterator[str]:
    """Check that the dataset is named after its show and that the character belongs to it."""
    if manifest["dataset"] != about(manifest["show"]).dataset:
        yield f"dataset: with that title it must be {about(manifest['show']).dataset}"
    if manifest["parameters"]["character"] not in (ALL, *manifest["show"]["cast"]):
        yield f"parameters: the show has no character {manifest['parameters']['character']!r}"


def check_listed_files(manifest: Manifest) -> Iterator[str]:
    """Check that the manifest lists exactly the files that a build writes, and never a Python file."""
    expected = {CARD, STATS, REPORT, CROISSANT, *(plot.path for plot in plots(manifest["dropped"]).values())}
    for config, described in manifest["configs"].items():
        expected |= {parquet_path(config, split) for split in described["splits"]}
    yield from (f"files: {path!r} is missing" for path in sorted(expected - manifest["files"].keys()))
    yield from (
        f"files: {path!r} is not a file that a build writes" for path in sorted(manifest["files"].keys() - expected)
    )


def check_configs(manifest: Manifest) -> Iterator[str]:
    """Check the path, size and hash of each Parquet file, and the version that follows from them."""
    splits_of_lines = manifest["configs"]["lines"]["splits"].keys()
    for config, described in manifest["configs"].items():
        splits = described["splits"]
        for split, file in splits.items():
            if file["path"] != parquet_path(config, split):
                yield f"configs: {config}.{split} is at {file['path']!r}, not at {parquet_path(config, split)!r}"
            listed = manifest["files"].get(file["path"], file)
            if any(listed[fact] != file[fact] for fact in ("sha256", "bytes")):
                yield f"configs: {config}.{split} and files disagree about {file['path']!r}"
        if described["version"] != content_version(splits):
            yield f"configs: {config}.version does not follow from the hashes"
        expected = {"train"} if CONFIGS[config].whole else splits_of_lines
        if splits.keys() != expected and not (CONFIGS[config].may_be_missing and splits.keys() < splits_of_lines):
            differ = "has other splits than train" if CONFIGS[config].whole else "and lines have different splits"
            yield f"configs: {config} {differ}"


def check_pages(manifest: Manifest) -> Iterator[str]:
    """Check that each page is listed once, with its split or the reason why it was left out."""
    for key in ("page", "episode"):
        counts = Counter(page[key] for page in manifest["pages"] if key in page)
        yield from (f"pages: {value!r} is listed {count} times" for value, count in counts.items() if count > 1)
    for page in manifest["pages"]:
        if {"episode", "split", "reason"} & page.keys() not in ({"episode", "split"}, {"reason"}):
            yield f"pages: {page['page']} must have either an episode and a split, or a reason"
    if manifest["sample"] != is_sample(page["sha256"] for page in manifest["pages"] if "episode" in page):
        yield f"sample: {manifest['sample']}, but the hashes of the pages say otherwise"


def check_splits(manifest: Manifest) -> Iterator[str]:
    """Check that each episode is in one split, the one of its page."""
    split_of: dict[str, str] = {}
    for split, ids in manifest["splits"].items():
        for id in ids:
            if id in split_of:
                yield f"splits: {id} is in {split_of[id]} and in {split}"
            split_of.setdefault(id, split)
    pages = {page["episode"]: page for page in manifest["pages"] if "episode" in page}
    for id in sorted(split_of.keys() ^ pages.keys()):
        yield f"{id} is only in {'splits' if id in split_of else 'pages'}"
    for id, page in pages.items():
        if id in split_of and page.get("split") != split_of[id]:
            yield f"pages: {page['page']} is in {page.get('split')}, its episode in {split_of[id]}"
