"""The cast of a show, and the system message of the config `chat`.

Title and cast travel as data: show.yaml → manifest.json of a dataset → run.json of an adapter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM = "You are {character} from {show}. You are talking with {user}."


@dataclass(frozen=True)
class Cast:
    """The main characters of a show, by their display names."""

    show: str
    names: tuple[str, ...]


def system_message(character: str, user: str, show: str, form: str = SYSTEM) -> str:
    """Tell the assistant whom it plays, and with whom it talks.

    >>> system_message("Joey", listed(["Ross", "Monica"]), "Friends")
    'You are Joey from Friends. You are talking with Ross and Monica.'
    """
    return form.replace("{character}", character).replace("{show}", show).replace("{user}", user)


def listed(names: Sequence[str]) -> str:
    """Join several names into one.

    >>> listed(["Joey"]), listed(["Joey", "Ross"]), listed(["Joey", "Ross", "Monica"])
    ('Joey', 'Joey and Ross', 'Joey, Ross and Monica')
    """
    if not names:
        raise ValueError("at least one name is needed")
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
