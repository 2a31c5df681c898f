"""One trained network in several processes, side by side: the table, the page, the summary.

    python benchmarks/processes.py runs/digits --clips 24 --out reports/processes

Each process calibrates the network by itself (``codesign pdk compare``); the clips are simulated
in ngspice with nominal devices. The run is copied first and left as it is.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from codesign.cli.pdk_compare import CLIPS
from codesign.files import write_json
from codesign.report.processes import build_processes_page, table_text
from codesign.runs import Run
from codesign.simulation.processes import compare_processes
from codesign.simulation.run import Options
from engine import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--pdks", nargs="+", help="processes, by default those installed")
    parser.add_argument("--jobs", type=int, default=1, help="ngspice processes at a time")
    parser.add_argument("--out", type=Path, help="folder for the page and the summary")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="codesign-processes-") as name:
        copy = Run(Path(name) / given.run.resolve().name)
        shutil.copytree(
            given.run, copy.path, ignore=shutil.ignore_patterns("sim", "design", "report", "pdks")
        )
        summary = compare_processes(
            copy, given.pdks, copy.flow().hardware, Options(clips=given.clips, jobs=given.jobs),
            say=print,
        )  # fmt: skip
    print(f"\n{summary['run']}, {given.clips} clips\n{table_text(summary)}")
    if given.out is not None:
        write_json(given.out / "summary.json", summary)
        print(build_processes_page(given.out, summary))


if __name__ == "__main__":
    main()
