"""What a build costs, as ratios measured in one run; nothing here is a test, and no test is timed.

    python benchmarks/build.py [--pages ../shared/corpus/pages] [--copies 20] [--runs 3] [--out FILE]

Times are CPU seconds of the child process and its workers (medians), but for `jobs`, which compares wall clocks: that
one means little while other programs keep the cores busy, so the load is printed with it. Yardstick is what
BeautifulSoup with lxml takes to parse the same bytes in one process, imports left out.

What did not help, or not enough to keep:
- larger thresholds for Python's garbage collection alone: nothing to be seen. Only with what was imported out of its
  sight (gc.freeze) a large one takes 7 % off; no collection at all takes no more, and each page leaves something;
- keeping drawn plots in the cache: nothing for an unchanged folder, which is kept as a whole, nothing for a cold build,
  and a second or so for a new folder from a warm cache: not worth a second kind of cache entry.
What did: lxml's events instead of BeautifulSoup's tree of them (reading blocks takes two fifths of the time), no
bracket matching in lines without brackets, keeping an unchanged folder (which then imports no library at all), making
the rows of `lines` once, importing while other processes read, drawing the plots in one of those, rows as Arrow tables:
named, split, counted and searched there, and as dicts only a few thousand at a time.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("FRIENDS_CORPUS_PAGES", ROOT.parent / "shared" / "corpus" / "pages"))
SAMPLE = ROOT / "friends_corpus" / "sample"
TARGETS = {"build_over_soup": 2.5, "jobs_2_over_1": 0.7, "unchanged_over_cold": 0.35}
WORD = re.compile(r"(<[^>]*>)|(?<![\w&#'.@])(?!and\b|the\b)[a-z]{3,}(?![\w;@])")  # a tag, or "kettle"
SOUP = """
import sys, time
from pathlib import Path
from bs4 import BeautifulSoup
pages = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.html"))]
began = time.process_time()
for page in pages:
    BeautifulSoup(page, "lxml")
print(time.process_time() - began)
"""
MODULES = """
import sys
from builders.build import main
main(sys.argv[2:])
open(sys.argv[1], "w").write("\\n".join(sys.modules))
"""
IMPORTS = """
import sys
from contextlib import suppress
from importlib import import_module
for name in open(sys.argv[1]).read().split():
    with suppress(Exception):
        import_module(name)
"""


def child(*arguments: object, cache: Path) -> dict[str, float]:
    """Runs Python; its CPU and wall-clock seconds, its workers included, and the memory of its largest process."""
    command = [sys.executable, *map(str, arguments)]
    began = time.monotonic()
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    wall = time.monotonic() - began
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "mb": usage.ru_maxrss / 1024}


def cores_to_be_had() -> float:
    """How many cores two busy processes get here and now: 2.0 on an idle machine, 1.0 on one that is full."""
    spin = [sys.executable, "-c", "x = 0\nfor i in range(10_000_000): x += i"]
    began = time.monotonic()
    pair = [subprocess.Popen(spin) for _ in range(2)]
    used = sum(usage.ru_utime + usage.ru_stime for usage in (os.wait4(process.pid, 0)[2] for process in pair))
    return used / (time.monotonic() - began)


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure."""
    return {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}


def measure(pages: Path, copies: int, runs: int, work: Path) -> dict[str, object]:
    """All ratios; `work` is an empty folder."""
    print(
        f"{len(list(pages.glob('*.html')))} pages in {pages}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    cores = cores_to_be_had()
    print(f"two processes get {cores:.1f} cores" + ("" if cores > 1.8 else ": busy, jobs_2_over_1 says little"))
    caches = iter(work / f"cache{number}" for number in range(1000))

    def build(pages: Path, jobs: int, cache: Path, out: Path) -> dict[str, float]:
        return child("-m", "builders.build", "--pages", pages, "--jobs", jobs, "--out", out, cache=cache)

    names = work / "modules"
    fonts = next(caches)
    child("-c", MODULES, names, "--pages", pages, "--jobs", 1, "--out", work / "out", cache=fonts)  # finds the fonts
    rounds: dict[str, list[dict[str, float]]] = {}
    soups = []
    for number in range(runs):
        soup = subprocess.run([sys.executable, "-c", SOUP, pages], capture_output=True, text=True, check=True)
        soups.append(float(soup.stdout))
        for name, jobs in (("cold", 1), ("cold_2", 2)):
            cache = next(caches)
            cache.mkdir()
            (cache / "friends-corpus").mkdir()
            (cache / "friends-corpus" / "matplotlib").symlink_to(fonts / "friends-corpus" / "matplotlib")
            out = work / f"{name}{number}"
            rounds.setdefault(name, []).append(build(pages, jobs, cache, out))
            if jobs == 1:
                rounds.setdefault("unchanged", []).append(build(pages, 1, cache, out))
                rounds.setdefault("warm", []).append(build(pages, 1, cache, work / f"other{number}"))
        rounds.setdefault("imports", []).append(child("-c", IMPORTS, names, cache=fonts))
    cost = {name: median(found) for name, found in rounds.items()}
    soup_seconds = statistics.median(soups)
    net = cost["cold"]["cpu"] - cost["imports"]["cpu"]
    ratios = {
        "build_over_soup": net / soup_seconds,
        "build_2_jobs_wall_over_soup": (cost["cold_2"]["wall"] - cost["imports"]["cpu"]) / soup_seconds,
        "imports_over_soup": cost["imports"]["cpu"] / soup_seconds,
        "jobs_2_over_1": cost["cold_2"]["wall"] / cost["cold"]["wall"],
        "unchanged_over_cold": cost["unchanged"]["cpu"] / cost["cold"]["cpu"],
        "warm_cache_other_folder_over_cold": cost["warm"]["cpu"] / cost["cold"]["cpu"],
    }
    if copies > 1:
        many = multiply(pages, work / "pages", copies)
        cost["copies"] = build(many, 2, next(caches), work / "many")
        ratios["copies_over_linear"] = (cost["copies"]["cpu"] - cost["imports"]["cpu"]) / (copies * net)
    return {
        "pages": len(list(pages.glob("*.html"))),
        "copies": copies,
        "load": round(os.getloadavg()[0], 1),
        "cores_to_be_had": round(cores, 2),
        "soup_cpu": round(soup_seconds, 3),
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "targets": TARGETS,
        "cost": cost,
    }


def multiply(pages: Path, folder: Path, copies: int) -> Path:
    """Copies of all pages as episodes of seasons 11, 12, …, their words different in each so that none repeats one."""
    folder.mkdir()
    texts = [path.read_bytes().decode("latin-1") for path in sorted(pages.glob("*.html")) if path.stem[:4].isdigit()]
    for copy in range(copies):
        ending = "aeiou"[copy % 5] + "bdgklmnprstvz"[copy % 13]
        for index, text in enumerate(texts):
            season, episode = divmod(copy * len(texts) + index, 24)
            reworded = WORD.sub(lambda found, ending=ending: found[1] or found[0] + ending, text)
            (folder / f"{season + 11:02d}{episode + 1:02d}.html").write_bytes(reworded.encode("latin-1"))
    return folder


def device() -> str:
    """The processor, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.processor() or platform.machine())}, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=REAL if REAL.is_dir() else SAMPLE, metavar="DIR")
    parser.add_argument("--copies", type=int, default=20, metavar="N", help="the large build (1: none)")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    name = device()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    out = options.out or Path(__file__).parent / "results" / f"build-{slug}.json"
    with tempfile.TemporaryDirectory() as work:
        figures = {"device": name} | measure(options.pages.resolve(), options.copies, options.runs, Path(work))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
