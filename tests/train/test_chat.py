"""`python -m train.chat`: the conversation as data, the commands, answers as they grow; and once through a pipe."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import forked
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import write_model, write_voice

from friends_corpus.core.cli import InputError
from friends_corpus.core.persona import system_message
from train import chat
from train.generation.answers import Sampling
from train.models.turn_format import TurnFormat
from train.talk import conversation
from train.talk.conversation import Persona, fitted, parse, question, reply
from train.talk.streaming import Tokens, Unwanted, answers
from train.talk.turn import Turn, own_turn
from train.talk.web import LOOPBACK

GREEDY = Sampling(tokens=200, temperature=0.0, top_p=1.0, seed=1)
END = 0


class Letters:
    """A tokenizer whose tokens are code points; 0 ends a text."""

    eos_token_id = END

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(map(chr, ids))


class Scripted:
    """A generator that says what it was told to, one character a token. `heard`: the prompts, as rendered.

    `interrupt`: Ctrl-C comes while we wait for a token: "reading", while the prompt is read, or "writing".
    """

    def __init__(self, says: dict[str, str], window: int = 1000, interrupt: str = "") -> None:
        self.says, self.context_length, self.interrupt = says, window, interrupt
        self.runs = {name: {"dataset": {"config": name}} for name in says if name != "base"}
        self.tokenizer = Letters()
        self.turns = TurnFormat(self.tokenizer, (END,), END, END)
        self.heard: list[str] = []
        self.seeds: list[int] = []
        self.steps = 0
        self.left = Event()  # an answer that nobody wanted was not gone on with

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.says)

    def render(self, messages: list[dict[str, str]]) -> str:
        return "".join(f"<{message['role']}>{message['content']}" for message in messages)

    def answer(self, asked: Any, sampling: Sampling, streamer: Any, heed: Any) -> None:
        self.heard += [self.render(messages) for _, messages in asked]
        self.seeds.append(sampling.seed)
        rows = [[ord(letter) for letter in self.says[voice]] for voice, _ in asked]
        streamer.put(np.zeros((len(rows), 3), dtype=int))
        try:
            if self.interrupt == "reading":
                streamer.queue.put(KeyboardInterrupt())
            while self.interrupt == "reading":  # a prompt without end
                heed()
            for step in range(min(sampling.tokens, max(map(len, rows)) + 1)):
                heed()
                self.steps += 1
                streamer.put(np.array([row[step] if step < len(row) else END for row in rows]))
                while not (streamer.queue.empty() or streamer.unwanted.is_set()):
                    time.sleep(0)  # a model is slower than its reader
                if self.interrupt == "writing" and step == 5:
                    streamer.queue.put(KeyboardInterrupt())
        except Unwanted:
            self.left.set()
            raise
        streamer.end()

    def add(self, name: str, folder: Path) -> None:
        raise InputError(f"{folder} is no adapter")


# --- what a conversation is ------------------------------------------------------------------------------------------


def test_the_system_message_is_the_one_of_the_dataset() -> None:
    assert Persona("Joey", "Ross").system() == system_message("Joey", "Ross", "Friends")
    assert Persona("", "Ross").system() is Persona(None, "Ross").system() is None
    braces = Persona("{user}", "a {thing}", "Be {character}, 100 % {odd}; I am {user}")
    assert braces.system() == "Be a {thing}, 100 % {odd}; I am a {thing}"


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        pytest.param("How are you?", ("", "How are you?"), id="said"),
        pytest.param("  \n", ("", ""), id="empty"),
        pytest.param("/as Joey", ("as", "Joey"), id="argument"),
        pytest.param("/as", ("as", ""), id="optional"),
        pytest.param("/save  my chat.md ", ("save", "my chat.md"), id="spaces"),
        pytest.param("/as Élodie", ("as", "Élodie"), id="not-ascii"),
        pytest.param("half and/or half", ("", "half and/or half"), id="slash-inside"),
        pytest.param("/hlep", "unknown command /hlep (did you mean 'help'?)", id="typo"),
        pytest.param("/", "unknown command /; /help lists them", id="slash-alone"),
        pytest.param("/Quit", "unknown command /Quit (did you mean 'quit'?)", id="capital"),
        pytest.param("/save", "/save says too little; write /save FILE (write the", id="argument-missing"),
        pytest.param("/swap", "/swap says too little; write /swap ADAPTER (another model", id="argument-with-a-vowel"),
        pytest.param("/reset now", "/reset takes nothing after it, not 'now'", id="argument-too-many"),
    ],
)
def test_lines(line: str, parsed: tuple[str, str] | str) -> None:
    if isinstance(parsed, tuple):
        assert parse(line) == parsed
        return
    with pytest.raises(InputError) as caught:
        parse(line)
    assert str(caught.value).startswith(parsed)


@pytest.mark.parametrize(
    ("text", "shown", "cut"),
    [
        pytest.param("I know!", "I know!", False, id="no-script"),
        pytest.param("Hey.\nRoss: Hi.", "Hey.", True, id="another"),
        pytest.param("Joey: Hey.\nRoss: Hi.", "Hey.", True, id="own-label-first"),
        pytest.param("JOEY: Hey.\nJoey: You.", "Hey.\nYou.", False, id="goes-on"),
        pytest.param("Assistant: Hey.\nUser: Hi.", "Hey.", True, id="what-a-model-calls-itself"),
        pytest.param("\n\nHey.\n\nRoss: Hi.", "Hey.", True, id="blank-lines"),
        pytest.param("Hey.\nChandler and Joey: Hi.", "Hey.", True, id="two-at-once"),
        pytest.param("Hey.\nRoss:", "Hey.", True, id="label-alone"),
        pytest.param("Hey.\n**Ross:** Hi.", "Hey.", True, id="bold"),
        pytest.param("Hey.\nRoss (to Joey): Hi.", "Hey.", True, id="direction-in-the-label"),
        pytest.param("Hey.\nMonica, Ross: Hi.", "Hey.", True, id="comma"),
        pytest.param("Hey.\n  Passenger #1: Hi.", "Hey.", True, id="numbered-and-indented"),
        pytest.param("Joey Tribbiani: Hey.\nJOEY: You.", "Hey.\nYou.", False, id="whole-name"),
        pytest.param("joey: Hey.\nross: Hi.", "Hey.", True, id="small-letters"),
        pytest.param("Joey:Hey.\nRoss:Hi.", "Hey.", True, id="no-blank"),
        pytest.param('Hey.\n**ben** (to ross):"Hi."', "Hey.", True, id="small-letters-and-no-blank"),
        pytest.param("Hey.\nross and monica:Hi.", "Hey.", True, id="small-letters-of-two"),
        pytest.param("So, about\nRoss :) and joey :-(", "So, about\nRoss :) and joey :-(", False, id="smiley"),
        pytest.param(
            "Sure.\nNote: it rains.\nStep one: rain.", "Sure.\nNote: it rains.\nStep one: rain.", False, id="labels"
        ),
        pytest.param("Hey.\nÉlodie: Oh, salut.", "Hey.", True, id="not-ascii"),
        pytest.param("Hey.\nBen: Salt.", "Hey.", True, id="the-user"),
        pytest.param("Hey.\nGus: I know.", "Hey.", True, id="unknown-and-spoken"),
        pytest.param("Gus: Jam.\nGus: More.", "Gus: Jam.", True, id="unknown-and-twice"),
        pytest.param(
            "Jam.\nTools: A pot.\nTime: 5 hours",
            "Jam.\nTools: A pot.\nTime: 5 hours",
            False,
            id="unknown-and-not-spoken",
        ),
        pytest.param("One thing: jam.\nand this: more", "One thing: jam.\nand this: more", False, id="small-letter"),
        pytest.param("It is\n12:30\nhttp://x", "It is\n12:30\nhttp://x", False, id="colon-without-a-name"),
        pytest.param("Hey. Ross: Hi.", "Hey. Ross: Hi.", False, id="not-at-the-start-of-a-line"),
        pytest.param("Oh Ross: look!", "Oh Ross: look!", False, id="called"),
        pytest.param("", "", False, id="nothing"),
        pytest.param("Joey:", "", False, id="own-label-alone"),
        pytest.param("Q: Do you like jam?\nA: I do.", "Q: Do you like jam?\nA: I do.", False, id="question-and-answer"),
        pytest.param("A: I like jam.\nB: Oh, me too.", "A: I like jam.", True, id="A-and-B"),
    ],
)
def test_the_friends_turn(text: str, shown: str, cut: bool) -> None:
    assert own_turn(text, "Joey", "Ben", ended=True) == Turn(shown, cut)


def test_an_article_names_nobody() -> None:
    assert own_turn("A: Bees make it.", "Joey", "a friend", ended=True) == Turn("A: Bees make it.")
    assert own_turn("Friend: Hi.", "Joey", "a friend", ended=True) == Turn("", others=("Friend",))


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        pytest.param("Ross: Hi.\nRoss: Hello?", Turn("", others=("Ross",)), id="another-alone"),
        pytest.param("Ben: Oh, that's all right.\nMuch.", Turn("", others=("Ben",)), id="the-user"),
        pytest.param("Ross: Hi.\nJoey: Hey.", Turn("Hey.", others=("Ross",)), id="another-first"),
        pytest.param("ross:hi.\nOh.\njoey:Hey.\nben:Oh.", Turn("Hey.", True, ("Ross",)), id="small-letters"),
        pytest.param("Joey: \nRoss: Hi.", Turn("", others=("Ross",)), id="own-label-without-words"),
        pytest.param("Ross: Hi.\nGus: No.\nRoss: Hi.", Turn("", others=("Ross", "Gus")), id="others"),
        pytest.param("Joey and Ross: Hi!", Turn("", others=("Joey", "Ross")), id="together"),
        pytest.param("User: Hi.\nAssistant: Hey.", Turn("Hey.", others=("User",)), id="what-a-model-calls-them"),
    ],
)
def test_the_friend_speaks_for_nobody_else(text: str, turn: Turn) -> None:
    assert own_turn(text, "Joey", "Ben", ended=True) == turn


def test_if_nobody_is_played_who_speaks_first_is_shown() -> None:
    for text in ("Ross: Hi.\nRoss: Hello?", "Ross: Hi.\nRoss: Hello?\nJoey: Hey."):
        assert own_turn(text, "", "Ben", ended=True).text == "Ross: Hi.\nRoss: Hello?"


PIECES = [
    "Joey",
    "Ross",
    "ross",
    "mon",
    "Gus:",
    "R",
    "I am",
    "hey",
    ":",
    "*",
    "(",
    ")",
    " ",
    "\n",
    ".",
    "É",
    "12",
    "me",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join), st.sampled_from(["Joey", ""]))
def test_what_was_shown_is_never_taken_back(text: str, friend: str) -> None:
    """However far it has come, what is shown is a beginning of what will be; a cut stays where it is."""
    whole = own_turn(text, friend, "Ben", ended=True)
    before = ""
    for length in range(len(text) + 1):
        now = own_turn(text[:length], friend, "Ben", ended=False)
        assert now.text.startswith(before)
        assert whole.text.startswith(now.text)
        if now.ended:
            assert now == whole
        before = now.text


def test_history_is_trimmed_oldest_first() -> None:
    said = [question("one"), reply("1", "base", ""), question("two"), reply("2", "base", ""), question("three")]
    for most, first in ((5, "one"), (4, "two"), (3, "two"), (2, "three"), (1, "three")):
        assert fitted(said, lambda messages, most=most: len(messages) <= most)[0]["content"] == first
    with pytest.raises(InputError, match="longer than the model's context"):
        fitted(said, lambda _: False)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("chat.txt", "is neither .md nor .jsonl", id="ending"),
        pytest.param("there.md", "is there already; choose another name", id="there"),
        pytest.param("nowhere/chat.md", "cannot write", id="no-folder"),
        pytest.param("folder.md", "is there already", id="folder"),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "there.md").write_text("mine")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(InputError, match=says):
        conversation.save(tmp_path / name, [question("Hi.")])
    assert (tmp_path / "there.md").read_text() == "mine"
    with pytest.raises(InputError, match="nothing was said"):
        conversation.save(tmp_path / "new.md", [])
    assert not (tmp_path / "new.md").exists()


def test_what_is_saved(tmp_path: Path) -> None:
    history = [
        question("Où?\n*Here*"),
        reply("<b>Hey!</b>", "chat", "Joey"),
        question("Hm."),
        reply("Yes.", "base", ""),
    ]
    conversation.save(tmp_path / "a.jsonl", history)
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()] == history
    conversation.save(tmp_path / "a.md", history)
    assert (tmp_path / "a.md").read_text(encoding="utf-8").split("\n\n") == [
        r"**You:** Où?<br>\*Here\*",
        "**Joey** (chat)**:** &lt;b&gt;Hey!&lt;/b&gt;",
        "**You:** Hm.",
        "**base:** Yes.\n",
    ]


# --- answers as they grow --------------------------------------------------------------------------------------------


def test_rows_grow_together_and_each_ends_with_its_turn() -> None:
    generator: Any = Scripted(
        {"base": "Hey.\nRoss: I am no script.", "chunks": "Joey: Hi.\nRoss: Oh.", "chat": "\x1b[1mYo"}
    )
    asked = [(name, [question("Who?")]) for name in generator.names]
    seen = [[turn.text for turn in turns] for turns in answers(generator, asked, Persona("Joey"), GREEDY)]
    assert seen[0] == ["", "", ""]  # before the model has read a word
    assert seen[-1] == ["Hey.", "Hi.", "[1mYo"]
    assert seen[6] == ["Hey.", "", "[1mYo"]  # the label of whom we talk with is not shown
    for before, after in pairwise(seen):
        assert all(new.startswith(old) for old, new in zip(before, after, strict=True))
    assert generator.heard == ["<system>You are Joey from Friends. You are talking with a friend.<user>Who?"] * 3
    *_, [alone] = answers(generator, asked[:1], Persona(""), GREEDY)
    assert alone.text == ("Hey.\nRoss: I am no script.")  # it plays nobody, so that nobody's turn ends


def test_another_show_has_its_own_title_and_cast(capsys: Any) -> None:
    generator: Any = Scripted({"base": "Finch: Hm.", "chat": "Hm.\nFinch: Bees make honey."})
    generator.runs["chat"]["dataset"] |= {"show": "Harbour Lights", "cast": ["Ada", "Finch"]}
    talking = chat.Talk(generator, "chat", Persona(), GREEDY)
    talking.handle("Who?")
    assert generator.heard == ["<system>You are Ada from Harbour Lights. You are talking with a friend.<user>Who?"]
    assert talking.history[-1]["content"] == "Hm."  # Finch is known to speak
    talking.handle("/swap base")
    talking.handle("/as Finch")
    assert "You are Finch from Harbour Lights." in capsys.readouterr().out  # as the adapters are asked


def test_nothing_is_computed_that_nobody_wants() -> None:
    script: Any = Scripted({"chunks": "Hey.\nRoss: " + "x" * 150})
    list(answers(script, [("chunks", [question("Who?")])], Persona("Joey"), GREEDY))
    assert script.left.wait(10)
    assert script.steps < 20
    closed: Any = Scripted({"base": "x" * 150})
    reading = answers(closed, [("base", [question("Who?")])], Persona(), GREEDY)
    next(reading)
    reading.close()
    assert closed.left.wait(10)
    assert closed.steps < 5


def test_a_stop_waits_for_no_token() -> None:
    generator: Any = Scripted({"base": "x"}, interrupt="reading")
    tokens = Tokens()
    growing = answers(generator, [("base", [question("Who?")])], Persona(), GREEDY, tokens)
    assert next(growing) == [Turn("")]
    tokens.queue.get(timeout=10)  # the Ctrl-C, which is not ours here
    tokens.stop()
    assert list(growing) == [[Turn("")]]
    assert generator.left.wait(10)


def test_a_failure_is_the_readers() -> None:
    generator: Any = Scripted({"base": "x"})
    with pytest.raises(KeyError):
        list(answers(generator, [("nobody", [question("Who?")])], Persona(), GREEDY))


# --- the terminal ----------------------------------------------------------------------------------------------------


def talk(says: dict[str, str], *lines: str, **of_voices: Any) -> tuple[chat.Talk, Scripted]:
    generator: Any = Scripted(says, **of_voices)
    talking = chat.Talk(generator, next(iter(says)), Persona(user="Ben"), GREEDY)
    for line in lines:
        assert talking.handle(line) is (line == "/quit")
    return talking, generator


def test_a_conversation(capsys: Any, tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    lines = (
        "Hi.",
        "/as Ross",
        "And?",
        "/swap base",
        "/temperature 0.2",
        "",
        f"/save {file}",
        "/reset",
        "Who?",
        "/quit",
    )
    talking, generator = talk({"chat": "Hey!", "base": "Hello."}, *lines)
    assert capsys.readouterr().out.splitlines() == [
        "Joey> Hey!",
        "You are Ross from Friends. You are talking with Ben.",
        "Ross> Hey!",
        "base answers now",
        "temperature 0.2 from now on",
        f"wrote {file}",
        "what was said is forgotten",
        "Ross> Hello.",
    ]
    assert generator.heard == [
        "<system>You are Joey from Friends. You are talking with Ben.<user>Hi.",
        "<system>You are Ross from Friends. You are talking with Ben.<user>Hi.<assistant>Hey!<user>And?",
        "<system>You are Ross from Friends. You are talking with Ben.<user>Who?",
    ]
    assert [json.loads(line)["content"] for line in file.read_text().splitlines()] == ["Hi.", "Hey!", "And?", "Hey!"]
    assert talking.sampling.temperature == 0.2
    assert generator.seeds == [1, 2, 3]  # the same question twice has two answers, the same conversation the same ones


def test_whom_a_voice_plays_unless_told() -> None:
    _, generator = talk({"base": "Hello.", "chat": "Hey!"}, "Hi.", "/swap chat", "And?", "/as", "So?")
    assert [heard.startswith("<system>You are Joey") for heard in generator.heard] == [False, True, False]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("/swap chta", "no model and no folder 'chta' (did you mean 'chat'?)", id="typo"),
        pytest.param("/swap ./nowhere", "no model and no folder './nowhere'; loaded: chat, base", id="nowhere"),
        pytest.param("/swap x=.", ". is no adapter", id="no-adapter"),
        pytest.param("/temperature hot", "temperature is 'hot'; it must be a number from 0 to 2", id="no-number"),
        pytest.param("/temperature nan", "temperature is 'nan'", id="nan"),
        pytest.param("/temperature 2.1", "temperature is '2.1'", id="too-hot"),
        pytest.param("x" * 1000, "that is longer than the model's context", id="too-long"),
    ],
)
def test_a_mistake_changes_nothing(line: str, says: str) -> None:
    talking, _ = talk({"chat": "Hey!", "base": "Hello."}, "Hi.")
    before = (talking.model_name, talking.wanted, talking.sampling, talking.history)
    with pytest.raises(InputError) as caught:
        talking.handle(line)
    assert str(caught.value).startswith(says)
    assert (talking.model_name, talking.wanted, talking.sampling, talking.history) == before


def test_ctrl_c_ends_the_answer_and_nothing_else(capsys: Any) -> None:
    talking, _ = talk({"base": "A long answer, this."}, "Hi.", interrupt="writing")
    assert capsys.readouterr().out == "base> A long [stopped]\n"
    assert [message["content"] for message in talking.history] == ["Hi.", "A long"]
    talking, generator = talk({"base": "x"}, "Hi.", interrupt="reading")
    assert capsys.readouterr().out == "base> [nothing] [stopped]\n"
    assert talking.history == []
    assert generator.left.wait(10)


def test_a_voice_that_says_nothing_is_not_remembered(capsys: Any) -> None:
    talking, _ = talk(
        {"base": " ", "chunks": "Ben: Oh, that's all right.\nRoss: Hi."}, "Hi.", "/swap chunks", "/as Joey", "Hi."
    )
    printed = capsys.readouterr().out.splitlines()
    assert (printed[0], printed[-1]) == ("base> [nothing]", "Joey> [nothing: the model wrote for Ben, Ross]")
    assert talking.history == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param("nowhere", "nowhere: no such folder", id="nowhere"),
        pytest.param("a=x a=y", "two models are called 'a'; tell them apart with NAME=FOLDER", id="twice"),
        pytest.param("base=x", "two models are called 'base'", id="base"),
        pytest.param("a=", "no adapter in 'a='; give FOLDER or NAME=FOLDER", id="no-folder"),
        pytest.param("--base smollm", "no base model 'smollm' (did you mean 'smollm2-135m'?)", id="base-unknown"),
        pytest.param("--tokens 0", "tokens is 0; it must be above 0", id="tokens"),
        pytest.param("--temperature nan", "temperature is nan", id="nan"),
        pytest.param("--top-p 0", "top_p is 0.0", id="top-p"),
        pytest.param("--seed -1", "seed is -1", id="seed"),
        pytest.param("--port 1", "--port and --share are of the page; add --web", id="port"),
        pytest.param("--web", "the page needs gradio, which is not installed; pip install '.[ui]'", id="no-gradio"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chat, "find_spec", lambda _: None)
    assert chat.main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {says}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        pytest.param(KeyboardInterrupt(), 130, "interrupted", id="ctrl-c"),
        pytest.param(RuntimeError("CUDA\nout of memory"), 1, "fewer --bits", id="memory"),
        pytest.param(MemoryError(), 1, "out of memory", id="memory-of-the-machine"),
    ],
)
def test_how_it_ends(monkeypatch: pytest.MonkeyPatch, capsys: Any, raised: BaseException, code: int, says: str) -> None:
    monkeypatch.setattr(chat, "load_generator", raising(raised))
    assert chat.main([]) == code
    [error] = capsys.readouterr().err.splitlines()
    assert says in error


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *typed: str | BaseException) -> None:
    """What is typed, line by line or as the keys raise it; then Ctrl-D."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    keys = iter([*typed, EOFError()])

    def typing(_: str) -> str:
        if isinstance(key := next(keys), BaseException):
            raise key
        return key

    monkeypatch.setattr("builtins.input", typing)


def test_ctrl_d_ends_and_ctrl_c_drops_a_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    at_a_terminal(monkeypatch, "Hi.", KeyboardInterrupt(), KeyboardInterrupt(), "You?")
    assert list(chat.asked()) == ["Hi.", "You?"]
    assert capsys.readouterr().out == "\nCtrl-D or /quit ends\n" * 2 + "\n"


def test_ctrl_c_takes_back_a_command(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    talking, generator = talk({"chat": "Hey!"}, "Hi.")
    monkeypatch.setattr(generator, "base", SimpleNamespace(model="tiny", bits=32), raising=False)
    monkeypatch.setattr(generator, "add", raising(KeyboardInterrupt()))
    at_a_terminal(monkeypatch, f"/swap {tmp_path}", "You?")
    capsys.readouterr()
    chat.converse(talking)
    said = ["chat: tiny in 32 bits; /help, /quit", "", "Ctrl-D or /quit ends", "Joey> Hey!", ""]
    assert capsys.readouterr().out.splitlines() == said
    assert [message["content"] for message in talking.history] == ["Hi.", "Hey!", "You?", "Hey!"]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def test_a_taken_port_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(chat, "load_generator", raising(AssertionError("loaded")))
    monkeypatch.setattr(chat, "find_spec", lambda _: True)
    with closing(socket.socket()) as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert chat.main(["--web", "--port", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"error: --port {port} cannot be used: ")


def test_more_tokens_than_the_model_reads(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(chat, "load_generator", lambda *_: Scripted({"base": "Hey."}, window=50))
    assert chat.main(["--tokens", "50"]) == 2
    error = capsys.readouterr().err
    assert "tokens is 50" in error
    assert "below 50" in error


# --- with a model ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_through_a_pipe(tmp_path: Path) -> None:
    """One question a line, answers on stdout, mistakes on stderr; twice the same, and another voice says other things."""
    model = write_model(tmp_path / "tiny", hub_id="someone/tiny")
    for config in ("chat", "chunks"):
        write_voice(tmp_path / config, model, config)
    lines = [
        "Hey, who are you?",
        "/swpa chunks",
        "/save said.jsonl",
        "/swap named=chunks",
        "/reset",
        "Hey, who are you?",
    ]
    arguments = "-m train.chat chat --base tiny --me Ben --tokens 12 --seed 3".split()

    def piped() -> subprocess.CompletedProcess[str]:
        return forked.run(*arguments, cwd=tmp_path, typed="\n".join(lines).encode() + b"\n\xff\xfe?")

    done = piped()
    assert done.returncode == 0, done.stderr
    [error] = done.stderr.splitlines()
    assert "/swpa (did you mean 'swap'?)" in error
    head, *said = done.stdout.splitlines()
    assert head == "chat: someone/tiny in 32 bits; /help, /quit"
    said = "\n".join(said).split("named answers now\n")
    assert said[0].startswith("Joey> ")
    assert said[0].endswith("wrote said.jsonl\n")
    assert said[1].count("named> ") == 2
    kept = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [message["role"] for message in kept] == ["user", "assistant"]
    assert said[0] == f"Joey> {kept[1]['content']}\nwrote said.jsonl\n"

    lines.remove("/save said.jsonl")
    assert piped().stdout == done.stdout.replace("wrote said.jsonl\n", "")
