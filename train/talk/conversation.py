"""A conversation as plain data: what the model is given, what was said, what the user asks for.

Pure: no model, no terminal, no page. `train.chat` and the rest of this folder stand on it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cards.render import cell
from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.persona import SYSTEM, Cast, system_message
from friends_corpus.core.visible import UNSEEN, visible
from train.adapters.run_record import FRIENDS
from train.dataset.formatting import Message, with_system

from .turn import Turn

FRIEND = "Joey"  # of the cast, the one who is played if nobody says otherwise
SCRIPTS = ("lines", "named_lines", "chunks")  # configs whose adapters write scripts, in which others speak too
COMMANDS = {
    "as": ("[NAME]", "whom it plays; without a name: nobody in particular"),
    "swap": ("ADAPTER", "another model: a name that is loaded, or [NAME=]FOLDER"),
    "temperature": ("NUMBER", "from 0 (always the likeliest word) to 2"),
    "reset": ("", "forget what was said"),
    "save": ("FILE", "write the conversation to a new .md or .jsonl"),
    "help": ("", "this list"),
    "quit": ("", "end, as Ctrl-D does"),
}


@dataclass(frozen=True)
class Persona:
    """Whom the assistant plays, and with whom it talks. `form` is the system message with its gaps.

    `character` "" is nobody in particular, None: that is left open.
    """

    character: str | None = None
    user: str = "a friend"
    form: str = SYSTEM
    cast: Cast = FRIENDS

    def system(self) -> str | None:
        """Return the system message; None leaves it to the chat template.

        >>> Persona("Joey", "Ben").system()
        'You are Joey from Friends. You are talking with Ben.'
        """
        if not self.character:
            return None
        return system_message(self.character, self.user, self.cast.show, self.form)


def friend_of(cast: Cast) -> str:
    """Choose who of the cast is played if nobody says otherwise; "" if there is no cast.

    >>> friend_of(FRIENDS), friend_of(Cast("Harbour Lights", ("Ada", "Finch"))), friend_of(Cast("Harbour Lights", ()))
    ('Joey', 'Ada', '')
    """
    return FRIEND if FRIEND in cast.names else next(iter(cast.names), "")


def question(text: str) -> Message:
    """Return a message of the user."""
    return {"role": "user", "content": text}


def reply(text: str, model_name: str, character: str) -> Message:
    """Return a message of a model, and as whom it speaks ("": nobody in particular)."""
    return {"role": "assistant", "content": text, "voice": model_name, "character": character}


def for_model(history: Sequence[Message], persona: Persona) -> list[Message]:
    """Return the messages for a chat template: the system message, if any, then the history.

    >>> for_model([question("Hi."), reply("Hey!", "chat", "Joey")], Persona())
    [{'role': 'user', 'content': 'Hi.'}, {'role': 'assistant', 'content': 'Hey!'}]
    """
    messages = [{"role": message["role"], "content": message["content"]} for message in history]
    return with_system(persona.system(), messages)


def outcome(turn: Turn, model_name: str, character: str) -> Message:
    """Return the reply to a question, or a note that there is none.

    >>> outcome(Turn("", others=("Ben", "Ross")), "chat", "Joey")
    {'role': 'note', 'content': '[nothing: the model wrote for Ben, Ross]'}
    """
    if turn.text:
        return reply(turn.text, model_name, character)
    instead = f": the model wrote for {', '.join(turn.others)}" if turn.others else ""
    return {"role": "note", "content": f"[nothing{instead}]"}


def answered(history: Sequence[Message]) -> list[Message]:
    """Drop the questions without a reply, which would teach the model to say nothing.

    >>> history = [question("One?"), reply("1.", "base", ""), question("Two?"), outcome(Turn(""), "base", "")]
    >>> [message["content"] for message in answered(history)]
    ['One?', '1.']
    """
    pairs = zip(history[::2], history[1::2], strict=False)
    return [message for pair in pairs if pair[1]["role"] == "assistant" and pair[1]["content"] for message in pair]


def fitted(history: Sequence[Message], fits: Callable[[Sequence[Message]], bool]) -> list[Message]:
    """Return the newest part of `history` that fits and begins with a question. Raises InputError.

    >>> said = [question("one"), reply("1", "base", ""), question("two"), reply("2", "base", ""), question("three")]
    >>> [message["content"] for message in fitted(said, lambda messages: len(messages) < 4)]
    ['two', '2', 'three']
    """
    for start, message in enumerate(history):
        if message["role"] == "user" and fits(history[start:]):
            return list(history[start:])
    raise InputError("that is longer than the model's context; shorten it, or ask for fewer --tokens")


def clean(text: str) -> str:
    """Return model output that is safe to print: no control characters, no incomplete characters.

    >>> clean("  Hey \\x1b[31myou\\ufffd")
    'Hey [31myou'
    """
    return UNSEEN.sub("", text).rstrip("\ufffd").strip()


def parse(line: str) -> tuple[str, str]:
    """Split a line into (command, argument); the command is "" for a message. Raises InputError.

    >>> parse("/as Joey"), parse("  How are you? ")
    (('as', 'Joey'), ('', 'How are you?'))
    """
    line = line.strip()
    if not line.startswith("/"):
        return "", line
    command, _, rest = line[1:].partition(" ")
    if command not in COMMANDS:
        raise InputError(f"unknown command /{command}{did_you_mean(command, COMMANDS)}; /help lists them")
    argument, rest = COMMANDS[command][0], rest.strip()
    if rest and not argument:
        raise InputError(f"/{command} takes nothing after it, not {rest!r}")
    if argument and not rest and not argument.startswith("["):
        raise InputError(f"/{command} says too little; write /{command} {argument} ({COMMANDS[command][1]})")
    return command, rest


def help_text(models: Sequence[str]) -> str:
    """Return the help on what can be typed.

    >>> help_text(["base", "chat"]).splitlines()[0]
    '/as [NAME]           whom it plays; without a name: nobody in particular'
    """
    lines = [f"{f'/{name} {argument}':<20} {meaning}" for name, (argument, meaning) in COMMANDS.items()]
    return "\n".join([*lines, f"Ctrl-C stops an answer. Loaded: {', '.join(models)}"])


def temperature(text: str) -> float:
    """Return the number given to /temperature. Raises InputError.

    >>> temperature("0.7")
    0.7
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise InputError(f"temperature is {text!r}; it must be a number from 0 to 2, such as 0.7")
    return value


def named_folder(text: str) -> tuple[str, Path]:
    """Return (name, folder) of an adapter given as NAME=FOLDER or FOLDER. Raises InputError.

    >>> named_folder("adapters/chat/")
    ('chat', PosixPath('adapters/chat'))
    >>> named_folder("blog = old/chunks")
    ('blog', PosixPath('old/chunks'))
    """
    name, equals, folder = text.partition("=")
    path = as_path((folder if equals else text).strip())
    name = name.strip() if equals else path.resolve().name
    if not name or not text.strip() or (equals and not folder.strip()):
        raise InputError(f"no adapter in {text!r}; give FOLDER or NAME=FOLDER, as in chat=adapters/chat")
    return name, path


def as_path(text: str) -> Path:
    """Return a typed path with ~ expanded. Raises InputError.

    >>> as_path("~/chat.md").name
    'chat.md'
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # no such user
        raise InputError(f"{text!r} begins with somebody who has no home folder here; write the whole path") from None
    if not text.isprintable():
        raise InputError(f"{text!r} is no path; write it without control characters")
    return path


def save(path: Path, history: Sequence[Message]) -> None:
    """Write the history as a new Markdown or JSON Lines file. Raises InputError."""
    forms = {".md": as_markdown, ".jsonl": as_jsonl}
    if path.suffix not in forms:
        raise InputError(f"{path} is neither .md nor .jsonl; choose one of these endings")
    if not history:
        raise InputError("nothing was said yet, so nothing was saved")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(forms[path.suffix](history))
    except FileExistsError:
        raise InputError(f"{path} is there already; choose another name") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name") from None


def as_jsonl(history: Sequence[Message]) -> str:
    """Return one JSON object per message and line.

    >>> as_jsonl([question("Hi.")])
    '{"role": "user", "content": "Hi."}\\n'
    """
    return "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in history)


def as_markdown(history: Sequence[Message]) -> str:
    """Return a paragraph per message; markup in messages is escaped.

    >>> print(as_markdown([question("*Hi*."), reply("Hey!", "chat", "Joey")]), end="")
    **You:** \\*Hi\\*.
    <BLANKLINE>
    **Joey** (chat)**:** Hey!
    """
    return visible("\n\n".join(f"{speaker(message)} {cell(message['content'])}" for message in history) + "\n")


def speaker(message: Mapping[str, str]) -> str:
    """Return the speaker of a message, as Markdown."""
    if not message.get("character"):
        return f"**{cell(message.get('voice', 'You'))}:**"
    return f"**{cell(message['character'])}** ({cell(message['voice'])})**:**"
