"""What a run is measured on while it trains: training identities that are held out, and the test set at the end.

Choices (which epoch, which option) belong to the validation identities, so that test is looked at once. Without any
(`data.validation` = 0) test is evaluated every `run.eval_every` epochs, as the paper's curves are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from isp_core.config import Config
from isp_core.data.pictures import PictureCache
from isp_core.data.records import VALIDATION, DataSet, Split, leave_one_out
from isp_core.inference import Reading, join, read_all
from isp_core.matching import Calibration
from isp_core.metrics.part_scores import Assignment
from isp_core.models import ISPNet, Normalisation
from isp_core.progress import counted
from isp_core.runs import RunWriter
from isp_core.runs.schema import MapKind
from isp_core.training.watch import Row, TruthWatch, retrieval_row


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network on the splits that an epoch is due for, writes maps and embeddings, returns the metrics."""

    config: Config
    data: DataSet
    by: Normalisation
    device: torch.device
    progress: bool

    def due(self, epoch: int) -> tuple[str, ...]:
        """Which of "validation" and "test" are evaluated after `epoch`."""
        every, last = self.config.run.eval_every, epoch == self.config.run.epochs
        now = last or bool(every and epoch % every == 0)
        validated = not self.data.split(VALIDATION).empty
        tested = not (self.data.split("query").empty or self.data.split("gallery").empty)
        found = [VALIDATION] if validated and now else []
        return tuple(found + (["test"] if tested and (last if validated else now) else []))

    def evaluate(
        self,
        what: str,
        network: ISPNet,
        epoch: int,
        writer: RunWriter,
        truth: TruthWatch | None,
        assignment: Assignment | None,
        calibration: Calibration | None,
    ) -> Row:
        """Retrieval and, with ground truth, IoU of "validation" or "test"; the former's columns begin with its name.

        calibration: thresholds of this epoch, None where the network has no parts.
        """
        start = time.perf_counter()
        if what == VALIDATION:
            frame = self.data.split(VALIDATION)
            whole = self._read(network, frame, VALIDATION, epoch)
            writer.write_embeddings(VALIDATION, epoch, whole.embeddings)
            frame = leave_one_out(frame)
            row = retrieval_row(whole.embeddings, whole.embeddings, frame, frame, calibration)
        else:
            query, gallery = self.data.split("query"), self.data.split("gallery")
            names: tuple[Split, ...] = ("query", "gallery")
            readings = [self._read(network, self.data.split(name), name, epoch) for name in names]
            for name, reading in zip(names, readings, strict=True):
                writer.write_embeddings(name, epoch, reading.embeddings)
            row = retrieval_row(readings[0].embeddings, readings[1].embeddings, query, gallery, calibration)
            whole = join(readings)
        if self.config.parts:
            kind: MapKind = "validation" if what == VALIDATION else "test"
            writer.write_maps(kind, epoch, [(np.arange(len(whole.labels)), whole.labels)], len(whole.labels))
            if truth is not None and assignment is not None:
                row |= truth.predicted_row(what, whole.labels, whole.foreground, self.config.parts, assignment)
        prefix = f"{VALIDATION}_" if what == VALIDATION else ""
        named = {name if name.startswith(prefix) else prefix + name: value for name, value in row.items()}
        return named | {"seconds_evaluation": time.perf_counter() - start}

    def _read(self, network: ISPNet, frame: pd.DataFrame, name: str, epoch: int) -> Reading:
        pictures = PictureCache(self.data.paths(frame), self.config.data.size, 0)
        reads = read_all(network, pictures, self.by, self.device, self.config.run.features, self.config.data.workers)
        shown = counted(reads, f"{name} {epoch}", len(frame), lambda read: len(read[0]), show=self.progress)
        return join([reading for _, reading in shown])
