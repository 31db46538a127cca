"""Files per second of ``framecast solar prepare``, and the time for years of images.

    python benchmarks/prepare.py SRC_DIR [--files 96] [--workers 1,2]

SRC_DIR holds full-disk images of one wavelength (AIA synoptic, 1024²). The first ``--files`` of them are prepared with
each number of workers, headers not cached. The pace is that of the second half of the images: in the first half the
processes start and import their libraries, and nearly all regions begin, of which each makes a dozen small files. That
is the same however many workers there are, and nothing beside years of images; in a short run it hides what a second
worker gains. The last column says what 15 years at a cadence of 2 h in 3 channels would take: 65 745 moments, 197 235
files.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

MOMENTS = round(15 * 365.25 * 12)
CHANNELS = 3


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--workers", default="1,2")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FRAMECAST_CACHE"] = str(Path(folder) / "cache")
        (Path(folder) / "cache").mkdir()
        source = Path(folder) / "images"
        source.mkdir()
        for path in sorted(given.source.rglob("*.fits"))[: given.files]:
            shutil.copy(path, source / path.name)
        print("workers  first half s  second half s  files/s  CPU s/file  main MB  15 years, 3 channels, 2 h")
        for workers in (int(text) for text in given.workers.split(",")):
            print(measure(source, Path(folder) / f"{workers}.zarr", workers), flush=True)


def measure(source: Path, out: Path, workers: int) -> str:
    """Return one line of the table."""
    from framecast.domains.solar.prepare import prepare

    files = len(list(source.iterdir()))
    begun, cut = time.perf_counter(), []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "frames":
            cut.append(time.perf_counter())

    before = _processor_time()
    prepare(source, out, workers=workers, minimum_frames=2, progress=progress)
    spent = _processor_time() - before  # of ended children too, for the workers are gone by now
    middle = cut[len(cut) // 2 - 1]
    pace = (len(cut) - len(cut) // 2) / (cut[-1] - middle)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    days = MOMENTS * CHANNELS / pace / 86400
    halves = f"{middle - begun:13.1f} {cut[-1] - middle:14.1f}"
    return f"{workers:7d} {halves} {pace:8.2f} {spent / files:11.3f} {memory:8.0f}  {days:.2f} days"


def _processor_time() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


if __name__ == "__main__":
    main()
