"""What a model of 7 B weights costs on this GPU: tokens a second, memory, and hours for the whole corpus.

    python benchmarks/gpu.py [--shape llama2-7b] [--bits 8 4 16] [--tokens 40000] [--out FILE]

The weights are random, in the shape of Llama 2 7B with SmolLM2's vocabulary: honest for speed and memory, and nothing
has to be fetched. Compared are our recipe, plain TRL and the blog author's settings (see benchmarks/throughput.py) in 8
bits, and ours in other bits. MFU counts what the model needs for a token, 4 operations for each weight (a forward, and
a backward to activations only, as the weights are frozen); recomputing activations is not counted. `--shape small`
tries the script out anywhere.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from throughput import in_own_process

ROOT = Path(__file__).parents[1]
SHAPES = {
    "llama2-7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "small": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4},
}
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L4": 121e12, "T4": 65e12}  # dense 16-bit operations a second
CORPUS = 1_200_000 * 3  # tokens in the lines of all pages, three epochs
TARGETS = {"author": 2.0, "peak_gb": 16}


def make(shape: str, folder: Path) -> int:
    """A model of random weights and its tokenizer in `folder`; returns the number of weights."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from train.models.base import locate
    from train.settings.base_preset import find_base

    tokenizer = AutoTokenizer.from_pretrained(locate(*find_base("smollm2-135m", None)).folder)
    config = LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=False, **SHAPES[shape])
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--shape", choices=SHAPES, default="llama2-7b")
    add("--bits", type=int, nargs="+", choices=[4, 8, 16], default=[8, 4, 16])
    add("--tokens", type=int, default=40_000, metavar="N", help="tokens of each measurement")
    add("--out", type=Path, metavar="FILE")
    add("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:  # in a process of its own, whose memory on the GPU ends with it
        print(make(options.shape, options.make))
        return

    with tempfile.TemporaryDirectory() as work:
        data, base = f"{work}/friends-lines", f"{work}/model"
        build = [sys.executable, "-m", "builders.build", "--out", data]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        making = [sys.executable, __file__, "--shape", options.shape, "--make", base]
        made = subprocess.run(making, check=True, stdout=subprocess.PIPE, text=True)
        weights = int(made.stdout.splitlines()[-1])
        runs = [("ours", bits) for bits in options.bits] + [("author", 8), ("plain", 8)]
        found = {(way, bits): in_own_process(way, "chunks", data, base, bits, options.tokens) for way, bits in runs}
    device = str(found["author", 8]["device"])
    peak = next((value for name, value in PEAKS.items() if name in device), None)
    ours = found.get(("ours", 8), found[runs[0]])
    figures = {
        "device": device,
        "shape": options.shape,
        "weights": weights,
        "tokens": options.tokens,
        "runs": [
            {
                "way": way,
                "bits": bits,
                "tokens_per_second": round(run["rate"], 1),
                "peak_gb": round(run["gb"], 2),
                "mfu": peak and round(run["rate"] * 4 * weights / peak, 3),
                "corpus_hours": round(CORPUS / run["rate"] / 3600, 2),
            }
            for (way, bits), run in found.items()
        ],
        "ours_over": {way: round(ours["rate"] / found[way, 8]["rate"], 2) for way in ("author", "plain")},
        "targets": TARGETS,
    }
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    out = options.out or Path(__file__).parent / "results" / f"gpu-{slug}.json"
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
