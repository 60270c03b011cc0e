"""The one reader of structured files: YAML, JSON, JSON Lines, CSV. Size is limited, then a schema checked.

A schema is a dataclass, a TypedDict, or a list or dict of those, as pydantic reads JSON by it, strictly: no text for a
number, no bool for an int. Keys that it does not know are ignored, or refused where it is declared with `closed`.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from .cli import InputError, did_you_mean, in_short

LARGEST, LARGEST_YAML = 32 << 20, 128 << 10  # bytes; PyYAML reads less than 100 kB a second
DEEPEST, LONGEST = 40, 99  # levels; characters of a number in YAML, where "1:59:59:…" takes quadratic time

Schema = TypeVar("Schema")
Text = Annotated[str, Field(min_length=1)]
closed = with_config(ConfigDict(extra="forbid"))  # decorates a schema
adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


class Unreadable(InputError):
    """A file that cannot be opened or is not of its format; `why` says so without its name."""

    def __init__(self, path: Path | Traversable, why: str, remedy: str) -> None:
        super().__init__(f"{path}: cannot be read ({why}); {remedy}")
        self.why = why


class Loader(yaml.SafeLoader):
    """YAML in which all is as it stands there: keys and dates are text, aliases, anchors and tags are refused."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        """Read a bracket that opens. Raises RecursionError."""
        if self.flow_level >= DEEPEST:  # before the scanner looks ahead through all of them
            raise RecursionError(f"it is nested more than {DEEPEST} levels deep")
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node. Raises YAMLError."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node: Any = super().compose_node(parent, index)
        if event.anchor or event.tag or (node.tag.endswith((":int", ":float")) and len(node.value) > LONGEST):
            problem = f"aliases, anchors, tags and numbers of more than {LONGEST} digits are refused"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return the mapping of a node. Raises YAMLError, ValueError."""
        return _unique([(self.construct_scalar(key), self.construct_object(value, True)) for key, value in node.value])


Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(node.value))


def yaml_values(data: bytes) -> Any:
    """Return what is in a YAML file. Raises ValueError, YAMLError, RecursionError.

    >>> yaml_values(b"{0101: 0x10, No: [no, 1994-09-22]}")
    {'0101': 16, 'No': [False, '1994-09-22']}
    """
    return yaml.load(_decoded(data, LARGEST_YAML), Loader)


def json_values(data: bytes) -> Any:
    """Return what is in a JSON file, or in a line of one. Raises ValueError, RecursionError."""
    return json.loads(_decoded(data, LARGEST), object_pairs_hook=_unique)


def csv_values(data: bytes) -> dict[str, list[str]]:
    """Return the cells of a CSV file by line. Raises ValueError, csv.Error.

    >>> csv_values(b"cue,speaker\\n\\nJOEY,Joey\\n")
    {'line 1': ['cue', 'speaker'], 'line 3': ['JOEY', 'Joey']}
    """
    reader = csv.reader(io.StringIO(_decoded(data, LARGEST).removeprefix("\ufeff"), newline=""), strict=True)
    return {f"line {reader.line_num}": row for row in reader if row}


def _decoded(data: bytes, most: int) -> str:
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data.decode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"the key {Counter(key for key, _ in pairs).most_common(1)[0][0]!r:.60} stands twice")
    return values


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def check_regular(path: Path | Traversable) -> None:
    """Refuse what is there and neither file nor folder: to open a pipe may take for ever. Raises OSError."""
    if isinstance(path, Path) and path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError("it is a pipe or a device")


def load(path: Path | Traversable, parse: Callable[[bytes], Any], remedy: str) -> Any:
    """Return what is in a file, of whatever shape, as `json_values` and the like parse it. Raises Unreadable."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            values = parse(file.read(LARGEST + 1))
        if _depth(values) > DEEPEST:
            raise RecursionError(f"it is nested more than {DEEPEST} levels deep")
    except (OSError, ValueError, RecursionError, yaml.YAMLError, csv.Error) as error:
        mark, problem = (getattr(error, name, None) for name in ("problem_mark", "problem"))
        why = getattr(error, "strerror", None) or in_short(yaml.YAMLError(problem) if problem else error)
        raise Unreadable(path, f"line {mark.line + 1}: {why}" if mark else why, remedy) from None
    return values


def read(path: Path | Traversable, parse: Callable[[bytes], Any], schema: type[Schema], remedy: str) -> Schema:
    """Return what is in a file, as its schema says. Raises InputError with file, place and remedy."""
    values = load(path, parse, remedy)
    for fault in faults(values, schema):
        raise InputError(f"{path}: {fault}; {remedy}")
    return checked(values, schema)


def checked(values: object, schema: type[Schema]) -> Schema:
    """Return JSON values as the schema says. Raises ValueError."""
    value: Schema = adapter(schema).validate_json(json.dumps(values, ensure_ascii=False).encode(), strict=True)
    return value


def faults(values: object, schema: Any) -> list[str]:
    """Return what keeps JSON values from being of the schema, each with its place.

    >>> faults({"s01": ["x", 2]}, dict[str, list[int]])
    ["s01.0: Input should be a valid integer (is 'x')"]
    """
    try:
        checked(values, schema)
    except UnicodeEncodeError as error:  # half of a character, as JSON and YAML can write it
        return [f"no whole characters in {error.object[max(0, error.start - 30) : error.end + 30]!r}"]
    except ValidationError as error:
        misspelt_first = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] == "missing")
        return [_told(problem, schema) for problem in misspelt_first]
    return []


def _told(problem: Any, schema: Any) -> str:
    path, message = [*problem["loc"]], problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        key, shape = str(path.pop()), adapter(schema).json_schema()
        known = [name for part in (shape, *shape.get("$defs", {}).values()) for name in part.get("properties", ())]
        message = f"unknown key {key!r:.60}" + (did_you_mean(key, known) or f" (known: {', '.join(known)})")
    elif problem["type"] != "missing":
        message += f" (is {problem['input']!r:.60})"
    return f"{repr('.'.join(map(str, path)))[1:-1]:.99}: {message}".removeprefix(": ")
