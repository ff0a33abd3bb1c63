"""Checks a run directory for damage, and makes it smaller. Behind `isp runs verify` and `isp runs prune`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from isp_core.runs import schema
from isp_core.runs.files import remove
from isp_core.runs.maps import read_maps
from isp_core.runs.reader import Run
from isp_core.runs.schema import MapKind, RunError, epoch_name
from isp_core.runs.writer import RunWriter, remove_temporaries

Keep = Literal["all", "last", "best"]
Watch = Callable[[Sequence[Path]], Iterable[Path]]
"""Hands files through, one by one, and shows how far it got."""


@dataclass(frozen=True)
class Finding:
    """One damaged or left-over file of a run, and what it means."""

    file: str
    problem: str


def verify(run: Run, watch: Watch = iter) -> list[Finding]:
    """Reads every file of the run; returns what is damaged, of the wrong size or left behind (nothing: all is well)."""
    findings = _try(
        {run.path / schema.RECORDS_FILE: run.records, run.path / schema.METRICS_FILE: run.metrics}, run.path, iter
    )
    if findings:
        return findings
    if run.epochs != list(range(len(run.epochs))) and not run.info.imported:
        findings.append(Finding(schema.METRICS_FILE, f"epochs are not consecutive: {run.epochs}"))
    findings += _try(_reads(run), run.path, watch)
    for entry in sorted(run.path.rglob(".*.tmp")):
        findings.append(Finding(str(entry.relative_to(run.path)), "left by a killed writer; resuming removes it"))
    return findings


def _reads(run: Run) -> dict[Path, Callable[[], object]]:
    """Every file of the finished epochs with the call that reads it whole."""
    reads: dict[Path, Callable[[], object]] = {}
    counts: dict[MapKind, int] = {"train": len(run.records("train")), "test": len(run.test_records())}
    counts |= {"activation": counts["train"], "validation": run.count(schema.VALIDATION)}
    for kind, count in counts.items():
        for epoch in run.label_epochs(kind):
            file = run.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5"
            reads[file] = partial(_maps_of, file, count)
    for split in schema.EMBEDDED:
        for epoch in run.embedding_epochs(split):
            file = run.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors"
            reads[file] = partial(run.embeddings, split, epoch)
    for epoch in run.weight_epochs():
        folder = run.path / schema.CHECKPOINTS / epoch_name(epoch)
        reads[folder / schema.WEIGHTS_FILE] = partial(_weights_of, folder / schema.WEIGHTS_FILE)
        if (folder / schema.STATE_FILE).exists():
            reads[folder / schema.STATE_FILE] = partial(_load_state, folder / schema.STATE_FILE)
    for name in run.evaluation_names():
        reads[run.path / schema.EVALUATION / f"{name}.json"] = partial(run.read_evaluation, name)
    return reads


def _try(reads: Mapping[Path, Callable[[], object]], root: Path, watch: Watch) -> list[Finding]:
    findings = []
    for file in watch(list(reads)):
        try:
            reads[file]()
        except Exception as error:  # each format raises its own kinds; all of them are findings here
            findings.append(Finding(str(file.relative_to(root)), str(error)))
    return findings


def prune(run: Run, keep: Keep, metric: str | None = None) -> int:
    """Removes checkpoints and returns the bytes freed.

    keep "last" leaves the last epoch's weights and resume state, "best" also those of the best `metric` (None: as
    Run.best_epoch chooses); "all" removes nothing but what killed writers left.
    """
    before = _bytes(run.path)
    remove_temporaries(run.path)
    if keep != "all":
        kept = {run.last_epoch}
        if keep == "best":
            kept.add(run.best_epoch(metric))
        RunWriter(run.path).keep_weights(kept)
        for epoch in kept - {run.last_epoch}:
            remove(run.path / schema.CHECKPOINTS / epoch_name(epoch) / schema.STATE_FILE)
    return before - _bytes(run.path)


def _maps_of(file: Path, count: int) -> None:
    maps = read_maps(file)
    if len(maps) != count:
        raise RunError(f"holds {len(maps)} maps where the records have {count} pictures")


def _load_state(file: Path) -> object:
    import torch  # takes seconds; listing and pruning need not wait for it

    return torch.load(file, weights_only=True, map_location="cpu")


def _weights_of(file: Path) -> None:
    with safe_open(file, framework="pt") as handle:
        for name in handle.keys():  # noqa: SIM118 - not a dict
            handle.get_tensor(name)


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
