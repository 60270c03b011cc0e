"""One person has one id, two persons have two; who is who in which episode is data of the show."""

import pytest

from friends_corpus.core.ids import speaker_id
from friends_corpus.show.config import friends


@pytest.mark.parametrize(
    ("label", "episode", "id"),
    [
        ("MIKE", "s09e03", "mike-hannigan"),
        ("Mike", "s08e19", "mike"),
        ("Mike's dad", "s09e07", "theodore-hannigan"),
        ("Mike's father", "s09e07", "theodore-hannigan"),
        ("Mike's mom", "s09e07", "bitsy-hannigan"),
        ("Paulo", "s02e01", "paolo"),
        ("Paolo", "s01e07", "paolo"),
        ("Minster", "s02e11", "minister"),
        ("Malcom", "s03e01", "malcolm"),
        ("Issac", "s03e01", "isaac"),
        ("Eric", "s03e06", "eric-photographer"),
        ("Eric", "s08e06", "eric-ursulas-fiance"),
        ("Steve", "s02e05", "steven-fisher"),
        ("Steve", "s01e15", "steve-restaurateur"),
        ("Amanda", "s10e03", "amanda-buffamonteezi"),
        ("Amanda", "s01e03", "amanda"),
        ("Kyle", "s09e20", "kyle-lowder"),
        ("Kyle Lowder", "s09e20", "kyle-lowder"),
        ("Somebody New", "s01e01", "somebody-new"),
    ],
)
def test_who_is_who(label: str, episode: str, id: str) -> None:
    people = friends().people
    assert people.ids(people.resolve(label, episode), episode) == (id,)


def test_each_of_several_has_an_id() -> None:
    people = friends().people
    assert people.ids(people.resolve("PHOE/MNCA", "s01e01"), "s01e01") == ("phoebe-buffay", "monica-geller")


def test_display_names_of_one_scope_never_share_an_id_by_chance() -> None:
    """Two unlisted display names with one id would be two persons with one."""
    names: dict[str, set[str]] = {}
    for speaker, rows in friends().people.by_speaker.items():
        if not any(row.full_name for row in rows):
            names.setdefault(speaker_id(speaker), set()).add(speaker)
    assert {id: spellings for id, spellings in names.items() if len(spellings) > 1} == {}
