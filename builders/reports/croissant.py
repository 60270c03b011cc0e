"""croissant.json: the dataset's files, columns and types in MLCommons' vocabulary for data set search and loaders.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html; no dates, so that a rebuild gives the same bytes
(which is why validators recommend a datePublished).
"""

from typing import Any

from datasets import List, Value

from builders.configs.schema import CONFIGS, meaning
from friends_corpus.core.manifest import Manifest, SplitFile
from friends_corpus.core.persona import listed
from friends_corpus.show.config import about

CROISSANT = "croissant.json"
PARQUET = "application/x-parquet"
TYPES = {"string": "sc:Text", "int32": "sc:Integer"}
SPLIT_PATH = r".*/(train|validation|test)-[^/]*$"  # "lines/train-00000-of-00001.parquet"
DESCRIPTION = (
    "Who says what in the TV series {title}: speaker-attributed lines from transcripts that fans typed by hand, as "
    "{forms}."
)
INVENTED = "This build holds only the project's sample pages, whose dialogue is invented: no line is from the series."
LICENSE = (
    "other: the scripts belong to their owner{owner} and the transcripts to the fans who made "
    "them; this dataset claims no rights in either and grants none"
)
CONTEXT = {  # the one that the specification gives, word for word
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def make_croissant(manifest: Manifest) -> dict[str, Any]:
    """Describe the dataset of a manifest."""
    show, version, configs = about(manifest["show"]), manifest["version"], manifest["configs"]
    description = DESCRIPTION.format(title=show.title, forms=listed([CONFIGS[config].form for config in configs]))
    archive = f" at {show.archive}" if show.archive else ""
    files = [file_object(file) for config in configs.values() for file in config["splits"].values()]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": show.dataset,
        "description": f"{description} {INVENTED}" if manifest["sample"] else description,
        "license": LICENSE.format(owner=f" ({show.owner})" if show.owner else ""),
        "citeAs": f"{show.title} lines, version {version}: built by friends-corpus from fan transcripts{archive}",
        "version": version,
        "inLanguage": "en",
        "keywords": ["dialogue", "screenplay", "television", show.slug],
        **({"isBasedOn": show.archive} if show.archive else {}),
        "distribution": [*files, *(file_set(config) for config in configs)],
        "recordSet": [record_set(config) for config in configs],
    }


def file_object(file: SplitFile) -> dict[str, Any]:
    """Return the FileObject of a Parquet file."""
    return {
        "@type": "cr:FileObject",
        "@id": file["path"],
        "name": file["path"],
        "contentUrl": file["path"],
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": PARQUET,
        "sha256": file["sha256"],
    }


def file_set(config: str) -> dict[str, Any]:
    """Return the FileSet of a config."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "description": f"Parquet files of the config {config}, one for each split",
        "encodingFormat": PARQUET,
        "includes": f"{config}/*.parquet",
    }


def record_set(config: str) -> dict[str, Any]:
    """Return the RecordSet of a config: its columns, and the split, taken from the file's name."""
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "key": {"@id": f"{config}/{CONFIGS[config].key}"},
        "field": [split_field(config), *(field(config, column) for column in CONFIGS[config].features)],
    }


def split_field(config: str) -> dict[str, Any]:
    """Return the Field for the split of a row."""
    return {
        "@type": "cr:Field",
        "@id": f"{config}/split",
        "name": "split",
        "description": "train, validation or test",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": f"{config}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": SPLIT_PATH},
        },
    }


def field(config: str, column: str) -> dict[str, Any]:
    """Return the Field of a column; lists repeat, and lists of structs have a sub-field for each key."""
    feature = CONFIGS[config].features[column]
    inner = feature.feature if isinstance(feature, List) else feature
    described = {
        "@type": "cr:Field",
        "@id": f"{config}/{column}",
        "name": column,
        "description": meaning(config, column),
    }
    repeated = {"repeated": True} if isinstance(feature, List) else {}
    if isinstance(inner, Value):
        return {**described, "dataType": TYPES[inner.dtype], **repeated, "source": source(config, column)}
    parts = [
        {
            "@type": "cr:Field",
            "@id": f"{config}/{column}/{key}",
            "name": key,
            "dataType": TYPES[value.dtype],
            "source": {**source(config, column), "transform": {"jsonPath": key}},
        }
        for key, value in inner.items()
    ]
    return {**described, **repeated, "subField": parts}


def source(config: str, column: str) -> dict[str, Any]:
    """Return the source of a column."""
    return {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column}}
