"""What acts instead of being read never reaches a terminal, a card or a page as it is."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest

from cards.render import cell, fenced, render
from friends_corpus.core.cli import InputError, complain, exit_code
from friends_corpus.core.visible import masked, screened, visible
from train.talk.columns import card, columns, told
from train.talk.conversation import as_markdown, clean, question, reply

ACTING = [
    pytest.param("\x1b[31m", id="colour"),
    pytest.param("\x1b]0;x\x07", id="title"),
    pytest.param("\x9b31m", id="c1"),
    pytest.param("\x08\x08", id="backspace"),
    pytest.param("a\rb", id="return"),
    pytest.param("\x7f", id="delete"),
    pytest.param("\x00", id="nul"),
    pytest.param("\u202e", id="override"),
    pytest.param("\u2066", id="isolate"),
    pytest.param("\u200f", id="mark"),
    pytest.param("\u061c", id="arabic-mark"),
    pytest.param("\u2028", id="line-end"),
    pytest.param("\u200b", id="no-width"),
    pytest.param("\ufeff", id="byte-order-mark"),
    pytest.param("\U000e0041", id="tag"),
    pytest.param("\udc80", id="half-a-pair"),
]


def acts(text: str) -> bool:
    """Whether a terminal or a browser would do something else than show it."""
    return any(
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in "\n\t" for letter in text
    )


@pytest.mark.attack("secrets and text", "control and bidirectional characters")
@pytest.mark.parametrize("text", ACTING)
def test_every_way_to_a_reader(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        print(f"Joey: {text} hi")
        print("a", file=sys.stderr, end=text + "\n")
        raise InputError(f"{text}: no such page")

    assert exit_code(work, "") == 2
    complain(text)
    told_there = capsys.readouterr()
    shown = [told_there.out, told_there.err, visible(text), told(text), card(f"# {text}\n"), card(f"![{text}](x)")]
    shown += [columns({text: [question(text), reply(text, "x", text)]}), clean(text), as_markdown([question(text)])]
    assert not [page for page in shown if acts(page)]
    assert json.loads(f'"{visible(text)}"') == text  # as JSON it is the same


@pytest.mark.attack("secrets and text", "control and bidirectional characters")
@pytest.mark.parametrize("text", ACTING)
def test_no_card_holds_it(text: str) -> None:
    values = {"plot": {"title": text}, "stats": text}
    for template in ("{{ text }}", "{{ text | cell }}", "{{ text | yaml }}", "{{ text | fenced }}"):
        assert not acts(rendered(template, text))
    assert not acts(visible(cell(text) + fenced(text))), values


def rendered(template: str, text: str) -> str:
    """A template that is not among ours."""
    from unittest.mock import patch

    class Folder:
        def __truediv__(self, name: str) -> Folder:
            return self

        def read_text(self, encoding: str) -> str:
            return template

    with patch("cards.render.files", lambda package: Folder()):
        return render("x.md", {"text": text})


@pytest.mark.attack("secrets and text", "passwords in addresses")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("https://ana:pw@hub.example/x", "https://***@hub.example/x", id="endpoint"),
        pytest.param("'http://ana:p@w@hub.example'", "'http://***@hub.example'", id="at-in-password"),
        pytest.param("https://token@hub.example", "https://***@hub.example", id="user-alone"),
        pytest.param("proxy ana:pw@proxy:3128 failed", "proxy ***@proxy:3128 failed", id="no-scheme"),
        pytest.param("socks5h://ana:pw@[::1]:1080", "socks5h://***@[::1]:1080", id="ipv6"),
        pytest.param("https://ana:p/w@hub.example/x", "https://***@hub.example/x", id="slash-in-password"),
        pytest.param("https://ana:p@a/b#c?d@hub.example: no", "https://***@hub.example: no", id="all-in-password"),
        pytest.param("http://127.0.0.1:80/ana/x@main", "http://127.0.0.1:80/ana/x@main", id="port-and-revision"),
        pytest.param("http://a.org/x?mail=a@b.org", "http://a.org/x?mail=a@b.org", id="mail-in-a-query"),
        pytest.param("Joey: ana@b.org, 12:30 @ Central Perk", "Joey: ana@b.org, 12:30 @ Central Perk", id="mail"),
    ],
)
def test_passwords_in_addresses(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_progress_bars_still_move() -> None:
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        with screened(), screened():
            sys.stderr.write("\r 50% ████")
            sys.stderr.write("\n\x1b[A")
            sys.stdout.write("\n\x1b[A")
            sys.stdout.writelines(["a\x1b\n"])
    finally:
        sys.stdout, sys.stderr = before
    assert err.getvalue() == "\r 50% ████\n\x1b[A"
    assert out.getvalue() == "\n\\u001b[Aa\\u001b\n"
