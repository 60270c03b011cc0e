"""The version of the parser: a hash over exactly the code that decides how a page is read."""

from importlib.metadata import version

from friends_corpus.core.fingerprint import hash_code

ROOMS = ("formats", "parsing", "show")  # of friends_corpus, all that is in them; a show's data is in Show.version
IMPORTED = (
    "cli",
    "fingerprint",
    "ids",
    "import_path",
    "manifest",
    "model",
    "persona",
    "reader",
    "secret_shapes",
    "versions",
    "visible",
)  # of core, by these rooms
CORE = tuple(f"core/{name}.py" for name in IMPORTED)

PARSER_VERSION = f"{hash_code('friends_corpus', (*ROOMS, *CORE))}-lxml-{version('lxml')}"
