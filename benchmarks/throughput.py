"""Tokens a second of a training step, as ratios of four ways measured in one run; nothing here is a test.

    python benchmarks/throughput.py [--dataset lines] [--base smollm2-135m] [--bits 8] [--tokens 2000] [--out FILE]

ours         the recipe as train.sft runs it
bare         forward and backward of the PEFT model alone on the shapes of `ours`: the ceiling
plain        TRL's SFTTrainer with its own defaults (batches of 8 padded rows, gradient checkpointing, bfloat16)
author       the blog author's settings: batches of 4, wrapped packing at 150 tokens, learning rate 1e-3, no evaluation
plain-same, author-same   the same two, computing in the number format that `ours` computes in

All with the same base in the same bits, the same adapter and the same rows (the dataset of `--data`, else of the sample
pages). Every way runs in a process of its own, `--runs` times in turn, for as many steps as make `--tokens` tokens,
after one that does not count if there is more than one; the medians count. Tokens are those that are not padding.
Peak memory is that of the process; on a GPU that of the GPU.

What paid, on two cores without bfloat16 instructions: computing in float32 around the int8 weights (TRL's default,
bfloat16, is emulated: 4 tokens/s); packed windows instead of padded rows; no gradient checkpointing at 512 tokens; a
loss head that goes over the learnt tokens once (TRL's took 2.0 of 5.5 s of a step, this one 0.8); no dropout (7 %).
What did not: 16-bit weights instead of 8 (a small Llama: 71 tokens/s instead of 1,186, `gpu.py --shape small`); saving
the conversion of the 8-bit weights (`MatMul8bitFp` is a fifth of a step, and bitsandbytes keeps no copy, which is what
8 bits are for).
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLOW = ("plain", "author")  # on a CPU, where bfloat16 is emulated: once, and on a quarter of the tokens
WAYS = ("ours", "bare", "plain", "author", "plain-same", "author-same")
TARGETS = {"lines": {"bare": 0.75, "plain": 2.5, "author": 1.2}, "chunks": {"bare": 0.85, "plain": 2.0, "author": 1.2}}


def measure(way: str, options: argparse.Namespace) -> None:
    """Runs in the child: one way of training, a few steps."""
    from itertools import islice

    import torch
    from transformers.trainer_callback import TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from build import device
    from train.dataset.loading import load_data
    from train.models.base import locate
    from train.models.device import choose_device
    from train.models.loading import load_base
    from train.runtime.logging import quiet
    from train.settings.base_preset import find_base
    from train.settings.recipe import load_recipe
    from train.training.sft_config import lora_config, sft_config
    from train.training.trainer import AdapterTrainer

    quiet(offline=False)
    recipe = load_recipe(options.dataset, None, {"base": options.base, "sft.max_steps": 1, "eval.evaluations": 0})
    base, folder = find_base(options.base, options.bits)
    place = choose_device(base.bits)
    model, tokenizer = load_base(base, locate(base, folder), place)
    data = load_data(Path(options.data), options.dataset, recipe.sft.dataset_text_field)
    steps: list[tuple[float, int]] = []  # wall clock and tokens so far, at the start and after each step

    class Clock(TrainerCallback):
        """Wall clock and non-padding tokens, step by step."""

        def on_train_begin(self, args, state, control, **rest):  # type: ignore[no-untyped-def]
            steps.append((time.monotonic(), 0))

        def on_log(self, args, state, control, logs=None, **rest):  # type: ignore[no-untyped-def]
            if logs and "num_tokens" in logs:
                steps.append((time.monotonic(), int(logs["num_tokens"])))

    with tempfile.TemporaryDirectory() as output:
        ours = sft_config(recipe, place, Path(output))
        ours.save_strategy = "no"
        common = {
            "output_dir": output,
            "logging_steps": 1,
            "save_strategy": "no",
            "disable_tqdm": True,
            "use_cpu": place.kind == "cpu",
            "dataset_text_field": recipe.sft.dataset_text_field,
            "report_to": "none",
        }
        same = {"bf16": place.mixed == "bfloat16", "fp16": place.mixed == "float16"}
        default: dict[str, bool] = {} if place.mixed != "float16" else same  # TRL's is bfloat16
        author = {"per_device_train_batch_size": 4, "packing": True, "packing_strategy": "wrapped", "max_length": 150}
        config = {
            "ours": ours,
            "bare": ours,
            "plain": SFTConfig(**common, **default),
            "author": SFTConfig(**common, **default, **author, learning_rate=1e-3),
            "plain-same": SFTConfig(**common, **same),
            "author-same": SFTConfig(**common, **same, **author, learning_rate=1e-3),
        }[way]
        kind = AdapterTrainer if way in ("ours", "bare") else SFTTrainer
        trainer = kind(
            model=model,
            args=config,
            train_dataset=data.train,
            processing_class=tokenizer,
            peft_config=lora_config(recipe, model),
            callbacks=[Clock()],
        )
        first = next(iter(trainer.get_train_dataloader()))
        step_tokens = int(first["attention_mask"].sum()) if "attention_mask" in first else first["input_ids"].numel()
        step_tokens *= trainer.args.gradient_accumulation_steps
        trainer.args.max_steps = math.ceil(options.tokens / step_tokens) + (step_tokens < options.tokens)
        if way == "bare":
            network = trainer.model.train()
            tokens = 0
            steps.append((time.monotonic(), tokens))
            for batch in islice(trainer.get_train_dataloader(), trainer.args.max_steps):
                batch = trainer._prepare_inputs(batch)
                labels = batch.pop("labels")
                with trainer.compute_loss_context_manager():
                    network(**batch, labels=labels, use_cache=False).loss.backward()
                network.zero_grad()
                tokens += labels.numel()
                if place.kind == "cuda":
                    torch.cuda.synchronize()
                steps.append((time.monotonic(), tokens))
        else:
            trainer.train()
    start = 1 if len(steps) > 2 else 0
    seconds, tokens = steps[-1][0] - steps[start][0], steps[-1][1] - steps[start][1]
    if place.kind == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e9
    else:
        peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        memory = int(peak[1]) / 1e6 if peak else 0.0
    name = place.name if place.kind == "cuda" else device()
    print(json.dumps({"device": name, "rate": tokens / seconds, "gb": memory, "cuda": place.kind == "cuda"}))


def in_own_process(way: str, dataset: str, data: str, base: str, bits: int, tokens: int) -> dict[str, float]:
    """What `measure` found: `rate` in tokens a second, peak `gb`, the `device`, whether it is `cuda`."""
    command = [sys.executable, __file__, "--way", way, "--dataset", dataset, "--data", data, "--base", base]
    command += ["--bits", str(bits), "--tokens", str(tokens)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{dataset:<8} {way:<11} {bits:2} bits {found['rate']:9.1f} tokens/s  {found['gb']:5.1f} GB", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--dataset", choices=["lines", "named_lines", "chunks"], action="append", help="default: lines and chunks")
    add("--data", help="dataset folder (default: the sample pages, built for this)")
    add("--base", default="smollm2-135m")
    add("--bits", type=int, default=8, choices=[4, 8, 16, 32])
    add("--tokens", type=int, default=2000)
    add("--runs", type=int, default=3)
    add("--out", type=Path, metavar="FILE")
    add("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        options.dataset = options.dataset[0]
        measure(options.way, options)
        return
    with tempfile.TemporaryDirectory() as work:
        data = options.data or f"{work}/friends-lines"
        if not options.data:
            build = [sys.executable, "-m", "builders.build", "--out", data]
            subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        figures: dict[str, object] = {"base": options.base, "bits": options.bits, "tokens": options.tokens}
        for dataset in options.dataset or ["lines", "chunks"]:
            found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
            for number in range(options.runs):
                for way in WAYS:
                    emulated = way in SLOW and not found["ours"][0]["cuda"]
                    if emulated and number:
                        continue
                    tokens = options.tokens // 4 if emulated else options.tokens
                    found[way].append(in_own_process(way, dataset, data, options.base, options.bits, tokens))
            rate = {way: statistics.median(run["rate"] for run in runs) for way, runs in found.items()}
            figures["device"] = found["ours"][0]["device"]
            figures[dataset] = {
                "tokens_per_second": {way: round(value, 1) for way, value in rate.items()},
                "peak_gb": {way: round(max(run["gb"] for run in runs), 2) for way, runs in found.items()},
                "ours_over": {way: round(rate["ours"] / rate[way], 2) for way in WAYS if way != "ours"},
                "targets": TARGETS.get(dataset, {}),
            }
    slug = re.sub(r"[^a-z0-9]+", "-", str(figures["device"]).lower()).strip("-")
    out = options.out or Path(__file__).parent / "results" / f"throughput-{slug}.json"
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
