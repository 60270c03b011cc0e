"""How the parser's time and memory grow on hostile input, as ratios; nothing here is a test, and no test is timed.

    python benchmarks/hostile.py [--size 200000] [--out FILE]

For every string: a page of it repeated, at n and at 2n bytes (CPU seconds, best of three each), and the peak memory of
a process that reads a megabyte of it, beyond what it had before, divided by that megabyte. 2.0 is linear.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from build import device
from friends_corpus.core.model import ParseError
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script

UNITS = [
    *("<div>", "<b>", "<p>", "<br>", "<!--", "</", "<![CDATA[", "<?", "<a b=c ", "<", "&", "&amp", "a ", "\xa0"),
    *("(", ")", "()", "[", "([{", ":", "::", "Joey: Hi. ", "<b>Xx:</b> Hi. ", "<p><b>Joey:</b> (waves) Hi.</p>"),
    *("<p>x", "<br>x", "<h1>x", "<td>x", "<p>[x", "<p>A:x"),
    *("[Scene: ", "(Cut to ", "@", "a@b.c ", "Written by: ", "Joey and ", "...", "!", "?! ", "24 | "),
    *("<s>A. </s><i>Jo</i> ", "<i>Jo</i> hi<br>", "[Bridge]<br>", "<u></i>", "A - ", "乔：x<br>"),
]
MEMORY = """
import re, sys
from pathlib import Path
from contextlib import suppress
from friends_corpus.core.model import ParseError
from friends_corpus.parsing.script import read_script
from friends_corpus.parsing.normalise import normalise
data = ("<p><b>Joey:</b> Hi.</p>" + sys.argv[1] * (1_000_000 // len(sys.argv[1]))).encode()
status = Path("/proc/self/status")  # ru_maxrss would be that of the parent, if it was larger
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024
before = peak()
with suppress(ParseError):
    normalise(read_script("0101.html", data)[1])
print(peak() - before)
"""


def seconds(unit: str, size: int) -> float:
    """Best of three, for a page with the string in its head and after a label."""
    half = unit * (size // 2 // len(unit))
    data = f"<p>Written by: {half}<p><b>Joey:</b> {half}".encode()
    tries = []
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(ParseError):
            normalise(read_script("0101.html", data)[1])
        tries.append(time.process_time() - began)
    return min(tries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200_000, metavar="N", help="bytes of the smaller page")
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    name = device()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    growth, memory = {}, {}
    for unit in UNITS:
        growth[unit] = round(seconds(unit, 2 * options.size) / seconds(unit, options.size), 2)
        probe = subprocess.run([sys.executable, "-c", MEMORY, unit], capture_output=True, text=True, check=True)
        memory[unit] = round(float(probe.stdout))
        print(f"{unit!r:36} time × {growth[unit]:4} at twice the size, {memory[unit]:4} MB for 1 MB")
    figures = {"device": name, "bytes": options.size, "largest_growth": max(growth.values()), "growth": growth}
    figures |= {"largest_mb_per_mb": max(memory.values()), "mb_per_mb": memory}
    out = options.out or Path(__file__).parent / "results" / f"hostile-{slug}.json"
    out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"largest: time × {figures['largest_growth']}, {figures['largest_mb_per_mb']} MB")


if __name__ == "__main__":
    main()
