"""Tiny random bases of many classes through dry run, training, resuming, comparison, merging and GGUF: a table.

    python benchmarks/matrix.py [--write] [CLASS …]

Every class once, with one of five styles of tokenizer and chat template in turn, all in one process. --write puts the
table into docs/training.md. `packed` is the mean difference of the logits of a packed row from those of the row alone,
in standard deviations, in float32. `merge` is the KL divergence of the merged model from the adapter on the same 16-bit
weights, `drift` that from the 8-bit base with the adapter, in nats a token. A class that is refused must be so by one
line, before the first step. Exit code 1 if a class that must work does not.
"""

import argparse
import io
import json
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from bases import CLASSES, ROTATION, write_base  # noqa: E402
from tiny import write_dataset  # noqa: E402

STEPS = ("dry run", "train", "resume", "compare", "merge", "GGUF")
MAY_BE_REFUSED = ("LFM2 (hybrid)", "Mamba", "T5")
START, END = "<!-- matrix -->", "<!-- /matrix -->"
APART, EXACT, SAME = 1e-5, 1e-4, 1e-4  # packed, merged against adapter; in float32 and in 16 bits
UNPACK = "--set sft.packing=false"


@dataclass
class Row:
    """What came of a class. `steps`: name → "works", or the line that refused it."""

    name: str
    style: str
    steps: dict[str, str] = field(default_factory=dict)
    stored: float | None = None
    packed: float | None = None
    merged: float | None = None
    drift: float | None = None
    unpacked: bool = False

    def works(self, *steps: str) -> bool:
        """Tell whether all of these steps work."""
        return all(self.steps.get(step) == "works" for step in steps)

    def verdict(self) -> bool:
        """Tell whether the class does what it must."""
        errors = [text for text in self.steps.values() if text != "works"]
        if any("a bug of ours" in text or "Traceback" in text for text in errors):
            return False
        if not self.works("dry run"):
            return self.name in MAY_BE_REFUSED
        exact = (self.packed is None or self.packed < APART) and (self.merged is None or self.merged < SAME)
        return self.works("dry run", "train", "resume", "compare", "merge") and exact


def command(main: Callable[[list[str]], int], line: str) -> tuple[int, str, str]:
    """Run a command in this process; return its code, what it printed, and the last line of its errors."""
    out, err, before = io.StringIO(), io.StringIO(), dict(os.environ)
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = main(line.split())
    os.environ.clear()
    os.environ.update(before)
    lines = [text for text in err.getvalue().splitlines() if text.startswith("error: ")]
    return code, out.getvalue(), lines[-1].removeprefix("error: ") if lines else err.getvalue()[-300:]


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Ctrl-C before that step."""
    from train.training.callbacks import Progress

    def on_step_begin(self: Any, args: Any, state: Any, control: Any, **unused: Any) -> None:
        if state.global_step == step:
            raise KeyboardInterrupt

    with patch.object(Progress, "on_step_begin", on_step_begin):
        yield


def run_class(name: str, style: str) -> Row:
    """Take one class through all steps, in the current folder."""
    from train import compare, merge, sft

    row, base = Row(name, style), Path("base")
    for folder in ("base", "out", "again", "out-merged", "report"):
        shutil.rmtree(folder, ignore_errors=True)
    with redirect_stderr(io.StringIO()):
        write_base(base, name, style)
    dataset = "chat" if list(CLASSES).index(name) % 2 else "chunks"
    common = f"--dataset {dataset} --data friends-lines --base base --bits 8 --max-steps 4 --evaluations 1"
    code, _, error = command(sft.main, f"{common} --output out --dry-run")
    if code and UNPACK in error and name not in MAY_BE_REFUSED:
        row.unpacked, common = True, f"{common} {UNPACK}"
        code, _, error = command(sft.main, f"{common} --output out --dry-run")
    row.steps["dry run"] = error if code else "works"
    if code:
        return row
    code, _, error = command(sft.main, f"{common} --output out")
    row.steps["train"] = error if code else "works"
    if code:
        return row
    row.stored = json.loads(Path("out/run.json").read_text())["stored_share"]
    with interrupted_at(2):
        command(sft.main, f"{common} --output again")
    code, _, error = command(sft.main, f"{common} --output again --resume")
    same = not code and Path("again/adapter_model.safetensors").read_bytes() == weights("out")
    row.steps["resume"] = error if code else "works" if same else "other weights than without a stop"
    line = "--adapters one=out --base base --data friends-lines --limit 5 --seeds 1 --tokens 4 --replies 4 --out report"
    code, _, error = command(compare.main, line)
    row.steps["compare"] = error if code else "works"
    code, _, error = command(merge.main, "out --base base --data friends-lines --tokens 500 --gguf")
    row.steps["GGUF"] = "works"
    if code and "no GGUF" in error:
        row.steps["GGUF"] = error
        code, _, error = command(merge.main, "out --base base --data friends-lines --tokens 500")
    row.steps["merge"] = error if code else "works"
    if not code:
        row.drift = json.loads(Path("out-merged/merge.json").read_text())["drift"]["kl"]
        row.merged = divergence_of_merge()
    if not row.unpacked:
        row.packed = packing_difference(dataset)
    return row


def weights(folder: str) -> bytes:
    """Return the bytes of an adapter."""
    return Path(folder, "adapter_model.safetensors").read_bytes()


def divergence_of_merge() -> float:
    """Return the KL divergence of the merged model from the adapter on the same weights in 16 bits."""
    import torch
    from transformers import AutoModelForCausalLM

    from train.export.divergence import drift, predictions
    from train.models.device import Device
    from train.models.lora_weights import load_alone

    device, rows = Device("cpu", "CPU", "float32", None), [list(range(3, 103)), list(range(200, 300))]
    with redirect_stderr(io.StringIO()):
        half = AutoModelForCausalLM.from_pretrained("base", dtype=torch.float16).float()
        merged = AutoModelForCausalLM.from_pretrained("out-merged", dtype=torch.float32)
        before = list(predictions(load_alone(half, Path("out")), device, rows))
        return drift(before, predictions(merged, device, rows), rows)["kl"]


def packing_difference(dataset: str) -> float:
    """Return how far a packed row is from the same row alone, in float32."""
    from tiny import make_trainer

    from train.dataset.formatting import documents
    from train.settings.base_preset import find_base
    from train.settings.recipe import load_recipe
    from train.training.rehearsal import packing_error

    recipe = load_recipe(dataset, None, {"base": "base"})
    base, folder = find_base("base", 32)
    assert folder is not None
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        trainer = make_trainer(Path("friends-lines"), recipe, base, folder, Path("out"))
    rows = [{"input_ids": ids[-64:], "labels": labels[-64:]} for ids, labels in documents(trainer.train_dataset)]
    return packing_error(trainer, rows[:2])


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| class | style | in 8 bits | packed | merge | drift | GGUF | result |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for row in rows:
        failed = next(
            (f"{step}: {row.steps[step]}" for step in STEPS[:-1] if row.steps.get(step, "works") != "works"), None
        )
        early = "refused before the first step" if not row.works("dry run") else "FAILS"
        result = f"{early}: {failed}" if failed else "works, unpacked" if row.unpacked else "works"
        numbers = [f"{value:.1e}" if value is not None else "" for value in (row.packed, row.merged, row.drift)]
        stored = f"{row.stored:.0%}" if row.stored is not None else ""
        gguf = "yes" if row.works("GGUF") else "" if failed else "no"
        lines.append(
            f"| {row.name} | {row.style} | {stored} | {' | '.join(numbers)} | {gguf} | {result.replace('|', '¦')} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Run the classes, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/training.md")
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=f"default: all: {', '.join(CLASSES)}")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_dataset(Path("friends-lines"), {"train": 8, "validation": 3, "test": 1})
        for number, name in enumerate(CLASSES):
            if name in (args.classes or CLASSES):
                rows.append(run_class(name, ROTATION[number % len(ROTATION)]))
                print(f"{'ok  ' if rows[-1].verdict() else 'FAIL'} {rows[-1]}", file=sys.stderr, flush=True)
        os.chdir(ROOT)
    print(text := table(rows))
    if args.write:
        page = ROOT / "docs" / "training.md"
        whole = re.sub(f"{START}.*?{END}", lambda _: f"{START}\n{text}\n{END}", page.read_text("utf-8"), flags=re.S)
        page.write_text(whole, encoding="utf-8")
    return int(not all(row.verdict() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
