"""`python -m benchmarks [NAME ...] [--quick] [--json] [--threads N] [--plot FILE]`"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

# as the command lines do: threads that spin while they wait slow each other down; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from benchmarks import clustering, distribution, galleries, labelling, ranking, steps, storage, stores
from benchmarks.plot import draw
from benchmarks.rows import Machine, Row, as_json, as_table, measure_machine
from isp_core.training.memory import keep_freed_memory

BENCHMARKS: dict[str, Callable[[Machine, bool], Iterable[Row]]] = {
    "identity": clustering.identity,
    "kernels": clustering.kernels,
    "inertia": clustering.inertia,
    "training-set": labelling.training_set,
    "labelling-round": labelling.labelling_round,
    "training-step": steps.training_step,
    "parsing": steps.parsing,
    "distribution": distribution.distribution,
    "pictures": storage.pictures,
    "run-directory": storage.run_directory,
    "matching": ranking.matching,
    "figures": ranking.figures,
    "reranking": ranking.reranking,
    "iou": ranking.iou,
    "gallery": galleries.galleries,
    "gallery-store": stores.store,
}


def main(arguments: list[str] | None = None) -> int:
    names = "\n".join(f"  {name:14} {(function.__doc__ or '').strip()}" for name, function in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed beside slow references and this machine's limit. Times are best of several.",
        epilog=f"names (all if none is given):\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="the smallest size of each, few runs")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch and OpenMP (default: theirs)")
    parser.add_argument("--plot", type=Path, help="HTML file: time and memory against the number of identities")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark named {unknown[0]!r}: there are {', '.join(BENCHMARKS)}")
    if options.threads is not None:
        if options.threads < 1:
            parser.error("--threads must be at least 1")
        torch.set_num_threads(options.threads)
    keep_freed_memory()  # as training does; references profit as well
    machine = measure_machine()
    rows: list[Row] = []
    for name in options.names or BENCHMARKS:
        for row in BENCHMARKS[name](machine, options.quick):
            rows.append(row)
            print(f"{row.name}: {row.size}", file=sys.stderr)
    if options.plot is not None:
        draw(rows, options.plot)
    print(as_json(machine, rows) if options.json else as_table(machine, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
