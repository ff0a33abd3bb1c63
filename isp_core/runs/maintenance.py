"""Checks a run directory for damage, and makes it smaller. Behind `isp runs verify` and `isp runs prune`."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from safetensors import safe_open

from isp_core.runs import checksums, schema
from isp_core.runs.distances import DISTANCES_FILE, stored_distances
from isp_core.runs.errors import RunError
from isp_core.runs.reader import Run
from isp_core.runs.schema import MapKind, epoch_name
from isp_core.runs.untrusted import is_regular, regular_file
from isp_core.runs.writer import RunWriter, sole_writer

Keep = Literal["all", "last", "best"]
Watch = Callable[[Sequence[Path]], Iterable[Path]]
"""Hands files through, one by one, and shows how far it got."""


@dataclass(frozen=True)
class Finding:
    """One damaged or left-over file of a run, and what it means."""

    file: str
    problem: str


def verify(run: Run, watch: Watch = iter) -> list[Finding]:
    """Reads every file of the run; returns what is damaged, not the run's, changed since or left behind.

    Nothing: all is well, as far as `notes` does not restrict it.
    """
    findings = _try(
        {run.path / schema.RECORDS_FILE: run.records, run.path / schema.METRICS_FILE: run.metrics}, run.path, iter
    )
    if findings:
        return findings
    if run.epochs != list(range(len(run.epochs))) and not run.info.imported and run.info.parent is None:
        findings.append(Finding(schema.METRICS_FILE, f"epochs are not consecutive: {run.epochs}"))
    findings += _misplaced(run)
    findings += _try(_reads(run), run.path, watch)
    findings += _changed(run, {finding.file for finding in findings})
    for entry in sorted(run.path.rglob(".*.tmp")):
        findings.append(Finding(str(entry.relative_to(run.path)), "left by a killed writer; resuming removes it"))
    return findings


def notes(run: Run) -> list[str]:
    """What `verify` could not check, in sentences: files without a noted checksum."""
    sums = checksums.read_sums(run.path)
    if not sums:
        return ["no checksums recorded (an older or imported run): a changed file that still opens is not noticed"]
    without = [name for name in _own_files(run) if name not in sums]
    if not without:
        return []
    return [f"{len(without)} files have no checksum recorded, such as {without[0]}"]


def _misplaced(run: Run) -> list[Finding]:
    """Rows of records that were moved, so that maps and embeddings would be other images'.

    Runs note the order that they were written with; older ones do not, but were written in the order of paths.
    """
    if run.info.order:
        return [Finding(schema.RECORDS_FILE, f"{split} images were moved to other rows") for split in run.moved()]
    for split in (*schema.SPLITS, schema.VALIDATION):
        paths = run.records(split)["path"]
        if not paths.is_monotonic_increasing:
            row = int((paths.to_numpy()[1:] < paths.to_numpy()[:-1]).argmax()) + 1
            return [
                Finding(
                    schema.RECORDS_FILE,
                    f"{split} images are not in the order of their paths (row {row}, {paths.iloc[row]}): moved to "
                    "other rows",
                )
            ]
    return []


def _changed(run: Run, known: set[str]) -> list[Finding]:
    """Files whose bytes are not those that were noted when they were written, and noted files that are gone."""
    findings = []
    for name, valid in sorted(checksums.read_sums(run.path).items()):
        epoch = next((schema.epoch_of(part) for part in Path(name).parts if schema.epoch_of(part) is not None), None)
        if name in known or (epoch is not None and epoch > max(run.epochs, default=-1)):
            continue  # named already; or of an epoch that was not finished
        file = run.path / name
        try:
            if not os.path.lexists(file):
                if checksums.NOTHING not in valid:
                    findings.append(Finding(name, f"is missing; {checksums.SUMS_FILE} lists it"))
            elif checksums.sha256(regular_file(file, run.path)) not in valid:
                findings.append(Finding(name, f"was changed since it was written (SHA-256, {checksums.SUMS_FILE})"))
        except (RunError, OSError) as error:
            findings.append(Finding(name, str(error)))
    return findings


def _own_files(run: Run) -> list[str]:
    files = [file for file in _reads(run) if is_regular(file)]
    tables = [run.path / name for name in (schema.RUN_FILE, schema.RECORDS_FILE, schema.METRICS_FILE)]
    return [file.relative_to(run.path).as_posix() for file in (*tables, *files)]


def _reads(run: Run) -> dict[Path, Callable[[], object]]:
    """Every file of the finished epochs with the call that reads it whole."""
    reads: dict[Path, Callable[[], object]] = {}
    counts: dict[MapKind, int] = {"train": len(run.records("train")), "test": len(run.test_records())}
    counts |= {"activation": counts["train"], "validation": run.count(schema.VALIDATION)}
    for kind, count in counts.items():
        for epoch in run.label_epochs(kind):
            file = run.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5"
            reads[file] = partial(_maps_of, run, kind, epoch, count)
    for split in schema.EMBEDDED:
        for epoch in run.embedding_epochs(split):
            file = run.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors"
            reads[file] = partial(run.embeddings, split, epoch)
    for file in sorted((run.path / schema.VISIBILITY).glob("epoch_*.json")):
        reads[file] = partial(run.calibration, schema.epoch_of(file.name) or 0)
    for epoch in run.weight_epochs():
        folder = run.path / schema.CHECKPOINTS / epoch_name(epoch)
        reads[folder / schema.WEIGHTS_FILE] = partial(_weights_of, folder / schema.WEIGHTS_FILE, run.path)
        if os.path.lexists(folder / schema.STATE_FILE):
            reads[folder / schema.STATE_FILE] = partial(_load_state, folder / schema.STATE_FILE, run.path)
    for name in run.evaluation_names():
        reads[run.path / schema.EVALUATION / f"{name}.json"] = partial(run.read_evaluation, name)
    if os.path.lexists(run.path / DISTANCES_FILE):
        reads[run.path / DISTANCES_FILE] = partial(stored_distances, run)
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
    with sole_writer(run.path):
        before, writer = _bytes(run.path), RunWriter(run.path)
        writer.remove_temporaries()
        if keep != "all":
            last = run.last_epoch
            # what lies beyond the last finished epoch is no epoch yet, but a killed training's; resuming drops it
            later = {epoch for epoch in _kept_epochs(run) if epoch > last}
            best = {run.best_epoch(metric)} if keep == "best" else set()
            writer.keep_weights({last} | later | best)
            for epoch in best - {last}:
                writer.drop_state(epoch)
        return before - _bytes(run.path)


def _kept_epochs(run: Run) -> list[int]:
    folder = run.path / schema.CHECKPOINTS
    found = [schema.epoch_of(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []
    return [epoch for epoch in found if epoch is not None]


def _maps_of(run: Run, kind: MapKind, epoch: int, count: int) -> None:
    if kind != "activation":
        for start in range(0, count, 4096):
            run.labels(kind, epoch, range(start, min(start + 4096, count)))
    else:
        for start in range(0, count, 4096):
            run.activation(epoch, range(start, min(start + 4096, count)))


def _load_state(file: Path, root: Path) -> object:
    import torch  # takes seconds; listing and pruning need not wait for it

    regular_file(file, root)
    with zipfile.ZipFile(file) as archive:  # PyTorch stores without compression: what unfolds was not written by it
        unfolded = sum(entry.file_size for entry in archive.infolist())
    if unfolded > file.stat().st_size:
        raise RunError(f"{file} unfolds to {unfolded:,} bytes: it is no state of a training")
    return torch.load(file, weights_only=True, map_location="cpu")


def _weights_of(file: Path, root: Path) -> None:
    regular_file(file, root)
    with safe_open(file, framework="pt") as handle:
        for name in handle.keys():  # noqa: SIM118 - not a dict
            tensor = handle.get_tensor(name)
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise RunError(f"{file}: {name} holds values that are not finite")


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
