"""What a benchmark hands back, how it is timed and printed. Nothing here knows what is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True)
class Row:
    """One line of the table. Times are the best of several runs taken in turns, so that a busy machine hurts both."""

    name: str
    size: str
    seconds: float
    reference: str = ""
    """What `reference_seconds` belongs to."""
    reference_seconds: float | None = None
    limit_seconds: float | None = None
    """What arithmetic and bytes of the same work need at the rates measured in this run."""
    note: str = ""
    count: int | None = None
    """Identities, where rows differ in nothing but their number: what `--plot` draws against."""
    peak_bytes: float | None = None
    """Most memory held beyond what the process held before."""

    @property
    def ratio(self) -> float | None:
        """How many times faster than the reference."""
        return None if self.reference_seconds is None else self.reference_seconds / self.seconds


@dataclass(frozen=True)
class Machine:
    """What this machine gives a program that does nothing else, at the number of threads in use."""

    threads: int
    read: float
    """Bytes a second read from memory."""
    copy: float
    """Bytes a second moved by a copy, reading and writing counted."""
    flops: float
    """Float32 operations a second of a square matrix product."""

    def seconds(self, *, read: float = 0.0, copied: float = 0.0, operations: float = 0.0) -> float:
        """Least time for bytes read, bytes copied (both ways counted) and operations, which may run next to reading."""
        return max(read / self.read, operations / self.flops) + copied / self.copy


def measure_machine() -> Machine:
    big = torch.ones(64 << 20)  # 256 MB: more than any cache
    other = torch.empty_like(big)
    square = torch.rand(1536, 1536)
    product = torch.empty_like(square)
    nbytes = float(big.nbytes)
    return Machine(
        threads=torch.get_num_threads(),
        read=nbytes / best_of(7, lambda: big.sum())[0],
        copy=2 * nbytes / best_of(7, lambda: other.copy_(big))[0],
        flops=2 * 1536**3 / best_of(7, lambda: torch.mm(square, square, out=product))[0],
    )


def clock() -> Callable[[], float]:
    """With one thread, seconds of the processor, which other programs on the machine disturb less; else of the wall."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def best_of(runs: int, *functions: Callable[[], object]) -> list[float]:
    """Least seconds of each function over some runs, taken in turns after one warm-up."""
    now = clock()
    best = [float("inf")] * len(functions)
    for run in range(runs + 1):
        for i, function in enumerate(functions):
            start = now()
            function()
            if run:
                best[i] = min(best[i], now() - start)
    return best


def as_json(machine: Machine, rows: Sequence[Row]) -> str:
    return json.dumps(
        {"machine": asdict(machine), "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}, indent=2
    )


def as_table(machine: Machine, rows: Sequence[Row]) -> str:
    head = ("name", "size", "ms", "reference", "ms", "faster", "limit ms", "of limit", "")
    body = [
        (
            row.name,
            row.size,
            _ms(row.seconds),
            row.reference,
            _ms(row.reference_seconds),
            "" if row.ratio is None else f"{row.ratio:.2f} x",
            _ms(row.limit_seconds),
            "" if row.limit_seconds is None else f"{row.seconds / row.limit_seconds:.2f} x",
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
    numbers = {2, 4, 5, 6, 7}
    lines = [
        "  ".join(
            cell.rjust(w) if i in numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in (head, *body)
    ]
    title = (
        f"{machine.threads} thread(s): {machine.read / 1e9:.1f} GB/s read, {machine.copy / 1e9:.1f} GB/s copied, "
        f"{machine.flops / 1e9:.0f} GFLOP/s float32"
    )
    return "\n".join([title, "", *(line.rstrip() for line in lines)])


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.1f}"
