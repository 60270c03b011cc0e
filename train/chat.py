"""python -m train.chat [ADAPTER…]: talk to adapters of train.sft, in the terminal or on a page.

Each ADAPTER is a folder that train.sft wrote, or NAME=FOLDER; all of them on the same base, which is a model too and
speaks alone if none is given. The first ADAPTER answers first; /swap changes that, /help lists the other commands.
What is piped in is asked line by line. --web serves a page on this machine instead; it needs pip install '.[ui]'.
Exit codes: 0 the conversation ended (/quit, Ctrl-D, the end of the pipe; of the page Ctrl-C), 1 it failed on the way,
2 a mistake in what was asked, 130 Ctrl-C before it began.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from friends_corpus.core.cli import Failed, InputError, did_you_mean, exit_code
from friends_corpus.core.persona import SYSTEM
from train.settings.base_preset import BITS, find_base

from .adapters.loading import read_run
from .adapters.run_record import cast_of
from .dataset.formatting import Message
from .generation.answers import Sampling
from .generation.generator import BASE, DEFAULT_BASE, TextGenerator, load_generator
from .runtime.logging import quiet
from .runtime.memory import memory_errors
from .talk.conversation import (
    FRIEND,
    Persona,
    answered,
    as_path,
    friend_of,
    help_text,
    named_folder,
    outcome,
    parse,
    question,
    save,
    temperature,
)
from .talk.streaming import answers, check_sampling
from .talk.web import free_port, serve

PORT = 7860
HINT = "Ctrl-D or /quit ends"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (see above), after one line on stderr if it is not 0."""
    args = parser().parse_args(arguments)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError):  # pytest's have none
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    return exit_code(lambda: chat(args), "nothing was said yet")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.chat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("adapters", nargs="*", metavar="ADAPTER", help="FOLDER or NAME=FOLDER (default: the base alone)")
    add("--base", metavar="NAME", help=f"without adapters: which (default: {DEFAULT_BASE}); with: where it is now")
    add("--bits", type=int, choices=BITS, help="how the base is stored (default: as trained)")
    add(
        "--as",
        dest="character",
        metavar="NAME",
        help=f"character it plays (default: {FRIEND} if it was trained on chat)",
    )
    add("--me", default=Persona.user, metavar="NAME", help="with whom it talks (default: %(default)s)")
    add(
        "--system",
        default=SYSTEM,
        metavar="TEXT",
        help="what tells it so, with {character}, {show} and {user} (default: %(default)s)",
    )
    add("--tokens", type=int, default=80, metavar="N", help="of an answer, at most (default: %(default)s)")
    add("--temperature", type=float, default=0.7, metavar="T", help="0 is greedy (default: %(default)s)")
    add("--top-p", type=float, default=0.95, metavar="P", help="leave out rare words (default: %(default)s)")
    add("--seed", type=int, default=42, metavar="N", help="of the first answer (default: %(default)s)")
    add("--web", action="store_true", help="serve a page on 127.0.0.1 instead")
    add("--port", type=int, metavar="N", help=f"of the page (default: {PORT}; 0: any that is free)")
    add("--share", action="store_true", help="of the page: also a public link through gradio.live, for anybody")
    return parser


def chat(args: argparse.Namespace) -> int:
    """Run one conversation and return the exit code. Raises InputError, Failed."""
    sampling = check_sampling(Sampling(args.tokens, args.temperature, args.top_p, args.seed))
    adapters: dict[str, Path] = {}
    for name, folder in map(named_folder, args.adapters):
        if name in (BASE, *adapters):
            raise InputError(f"two models are called {name!r}; tell them apart with NAME=FOLDER")
        adapters[name] = folder
    if (args.share or args.port is not None) and not args.web:
        raise InputError("--port and --share are of the page; add --web")
    if args.web and find_spec("gradio") is None:
        raise InputError("the page needs gradio, which is not installed; pip install '.[ui]'")
    port = free_port(PORT if args.port is None else args.port) if args.web else 0
    online = any(read_run(folder)[0]["base"]["source"] == "hub" for folder in adapters.values())
    if not adapters:
        base, base_folder = find_base(args.base or DEFAULT_BASE, args.bits)
        online = base_folder is None and base.wheel is None
    quiet(offline=not online)
    with memory_errors(lambda: " while the base was loaded; fewer --bits need less"):
        generator = load_generator(adapters, args.bits, args.base)
    check_sampling(sampling, generator.context_length)
    persona = Persona(args.character, args.me, args.system)
    if args.web:
        return exit_code(
            lambda: serve(generator, persona, sampling, port, args.share), "the browser keeps what was said"
        )
    talk = Talk(generator, next(iter(adapters), BASE), persona, sampling)
    return exit_code(lambda: converse(talk), "only what /save wrote is kept")


def converse(talk: Talk) -> None:
    """Answer the user until the input ends. Ctrl-C cancels the current action only."""
    base, model_name = talk.generator.base, "the base alone" if talk.model_name == BASE else talk.model_name
    print(f"{model_name}: {base.model} in {base.bits} bits; /help, /quit")
    for line in asked():
        try:
            with memory_errors(lambda: "; /reset, or begin again with fewer --tokens"):
                if talk.handle(line):
                    break
        except KeyboardInterrupt:
            print(f"\n{HINT}")
        except (InputError, Failed) as error:
            print(f"error: {error}", file=sys.stderr, flush=True)


def persona_of(generator: TextGenerator, model_name: str, given: Persona) -> Persona:
    """Return the persona to use: by default a friend for an adapter trained on `chat`, else nobody."""
    run, cast = generator.runs.get(model_name), cast_of(model_name, generator.runs)
    own = friend_of(cast) if run is not None and run["dataset"]["config"] == "chat" else ""
    return replace(given, character=own if given.character is None else given.character, cast=cast)


def asked() -> Iterator[str]:
    """Yield what the user types, line by line, until Ctrl-D or the end of the pipe. Ctrl-C drops a line."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    with suppress(ImportError):
        import readline  # noqa: F401  input() then has a history: arrow up
    with suppress(EOFError):
        while True:
            try:
                line = input("you> ")
            except KeyboardInterrupt:
                print(f"\n{HINT}")
            else:
                yield line
    print()


class Talk:
    """A conversation in the terminal: who answers, and what was said."""

    def __init__(self, generator: TextGenerator, model_name: str, wanted: Persona, sampling: Sampling) -> None:
        self.generator, self.model_name, self.wanted, self.sampling = generator, model_name, wanted, sampling
        self.history: list[Message] = []

    def handle(self, line: str) -> bool:
        """Do what a line asks for, and tell whether to end. Raises InputError, which changes nothing."""
        command, rest = parse(line)
        match command:
            case "quit":
                return True
            case "help":
                print(help_text(self.generator.names))
            case "as":
                self.wanted = replace(self.wanted, character=rest)
                print(
                    persona_of(self.generator, self.model_name, self.wanted).system() or "it plays nobody in particular"
                )
            case "swap":
                self.swap(rest)
                print(f"{self.model_name} answers now")
            case "temperature":
                self.sampling = replace(self.sampling, temperature=temperature(rest))
                print(f"temperature {self.sampling.temperature} from now on")
            case "reset":
                self.history = []
                print("what was said is forgotten")
            case "save":
                save(as_path(rest), self.history)
                print(f"wrote {rest}")
            case _:
                self.ask(rest)
        return False

    def swap(self, new_name: str) -> None:
        """Continue the conversation with another model, loaded first if it is a folder. Raises InputError."""
        if new_name not in self.generator.names:
            name, folder = named_folder(new_name)
            if not folder.is_dir():
                known = did_you_mean(new_name, self.generator.names) or f"; loaded: {', '.join(self.generator.names)}"
                raise InputError(f"no model and no folder {new_name!r}{known}")
            self.generator.add(name, folder)
            new_name = name
        self.model_name = new_name

    def ask(self, text: str) -> None:
        """Print the answer as it is generated, and keep both in the history. Ctrl-C stops it. Raises InputError."""
        if not text:
            return
        persona = persona_of(self.generator, self.model_name, self.wanted)
        history = [*self.history, question(text)]
        growing = answers(self.generator, [(self.model_name, history)], persona, self.sampling)
        [turn] = next(growing)
        print(f"{persona.character or self.model_name}> ", end="", flush=True)  # the model may read for long
        stopped = ""
        try:
            for [grown] in growing:
                print(grown.text[len(turn.text) :], end="", flush=True)
                turn = grown
        except KeyboardInterrupt:
            stopped = " [stopped]"
        finished = outcome(turn, self.model_name, persona.character or "")
        print("" if turn.text else finished["content"], end=f"{stopped}\n", flush=True)
        self.sampling = replace(self.sampling, seed=(self.sampling.seed + 1) % 2**32)
        self.history = answered([*history, finished])


if __name__ == "__main__":
    sys.exit(main())
