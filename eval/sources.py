"""Where the figures' material comes from: a run's stored embeddings, or its network over another data set.

Out of scope: evaluation (eval.retrieval, eval.parsing_protocol).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from isp_core.data.records import TEST, VALIDATION, DataSet, leave_one_out
from isp_core.errors import IspError
from isp_core.matching import Embeddings
from isp_core.matching.visibility_rules import EQ8
from isp_core.runs import Run, RunError
from isp_core.runs.distances import stored_distances

if TYPE_CHECKING:
    from isp_core.parser import HumanParser

_BATCH = 64


@dataclass(frozen=True)
class RetrievalSet:
    """Queries and gallery of one run at one epoch, ready to be ranked.

    query, gallery: records (path, identity, camera, split, subset); embeddings in their order, or else `distances`
    (Q, G), where a run was imported as a distance matrix. `origin` says in words where they come from. visibility: the
    rule of isp_core.matching.VISIBILITY_RULES that the embeddings hold; default_visibility: the run's own.
    """

    run: str
    epoch: int
    data: str
    fingerprint: str
    query: pd.DataFrame
    gallery: pd.DataFrame
    query_embeddings: Embeddings | None
    gallery_embeddings: Embeddings | None
    distances: npt.NDArray[np.float32] | None
    origin: str
    foreign: bool = False
    visibility: str = EQ8
    default_visibility: str = EQ8

    def __post_init__(self) -> None:
        for name, frame in (("query", self.query), ("gallery", self.gallery)):
            if frame.empty:
                raise IspError(f"{self.data} has no {name} images: there is nothing to rank")
        people = set(self.query.identity) - {-1, 0}
        if not people & set(self.gallery.identity):
            raise IspError(
                f"none of the {len(people)} identities of the queries of {self.data} is in its gallery "
                f"({len(set(self.gallery.identity))} identities): are query and gallery of the same split?"
            )

    def take_queries(self, rows: npt.NDArray[np.int64]) -> RetrievalSet:
        """The same gallery with some of the queries."""
        return replace(
            self,
            query=self.query.iloc[rows].reset_index(drop=True),
            query_embeddings=None if self.query_embeddings is None else self.query_embeddings[rows],
            distances=None if self.distances is None else self.distances[rows],
        )


def retrieval_set(
    run: Run,
    epoch: int | None,
    data: DataSet | None = None,
    progress: bool = False,
    peaks: bool = False,
    visibility: str | None = None,
) -> RetrievalSet:
    """Queries and gallery of a run.

    epoch: None for the last that has what is needed. data: None, or the run's own data set, for its stored embeddings;
    another data set is embedded now by the run's weights (cross-data-set evaluation), as are own images where the
    run has weights but no embeddings. peaks: whether the parts' probabilities are needed, which older runs do not
    store. visibility: one of isp_core.matching.VISIBILITY_RULES; None for the run's own.
    """
    if data is not None and not same_test(run, data):
        if not run.weight_epochs():
            raise IspError(
                f"{run.path} was made on {run.info.data.name} (fingerprint {run.info.data.fingerprint[:12]}), not on "
                f"{data.root} ({data.fingerprint[:12]}), and holds no weights to embed other images with: "
                "give the data set it was made on"
            )
        return _embedded_now(run, epoch, data, visibility, foreign=True, progress=progress)
    distances = stored_distances(run)
    if distances is not None:
        return _stored(run, 0, None, None, distances)
    epochs = run.embedding_epochs()
    if epochs and (epoch is None or epoch in epochs):
        epoch = epochs[-1] if epoch is None else epoch
        query, gallery = (run.embeddings(split, epoch, visibility) for split in TEST)
        if not peaks or query.part_peak is not None:
            found = _stored(run, epoch, query, gallery, None)
            return _ruled(found, run, visibility)
        if data is None:
            raise IspError(
                f"{run.path} stores embeddings of epoch {epoch} without the parts' probabilities: give --data to make "
                "them again from the weights"
            )
    if data is None:
        have = f"it has them of epochs {', '.join(map(str, epochs))}" if epochs else "it has none"
        wanted = "" if epoch is None else f" of epoch {epoch}"
        raise IspError(f"{run.path} has no embeddings{wanted} ({have}): give --data to make them from the weights")
    return _embedded_now(run, epoch, data, visibility, foreign=False, progress=progress)


def validation_set(run: Run, epoch: int | None, visibility: str | None = None) -> RetrievalSet:
    """The identities that the run held out of training, each image searched for among all others.

    RunError where it held none out, or has no embeddings of them.
    """
    frame = run.records(VALIDATION)
    if frame.empty:
        raise RunError(f"{run.path} held no identities out: train it with --set data.validation=N")
    epochs = run.embedding_epochs(VALIDATION)
    if not epochs:
        raise RunError(f"{run.path} has no embeddings of its validation identities yet")
    epoch = epochs[-1] if epoch is None else epoch
    if epoch not in epochs:
        raise RunError(
            f"{run.path} has no embeddings of its validation identities at epoch {epoch}; it has them of epochs "
            + ", ".join(map(str, epochs))
        )
    found, frame, info = run.embeddings(VALIDATION, epoch, visibility), leave_one_out(frame), run.info.data
    name, origin = f"{info.name}, validation", f"embeddings of held-out training identities, epoch {epoch}"
    held = RetrievalSet(run.name, epoch, name, info.fingerprint, frame, frame, found, found, None, origin, foreign=True)
    return _ruled(held, run, visibility)


def _ruled(found: RetrievalSet, run: Run, visibility: str | None) -> RetrievalSet:
    """The set with the names of its visibility rule and of the run's own."""
    used, own = run.visibility_rule(found.epoch, visibility), run.visibility_rule(found.epoch)
    return replace(found, visibility=used, default_visibility=own)


def same_test(run: Run, data: DataSet) -> bool:
    """Whether query and gallery are the run's own; its training set may be a part of the data set's."""
    columns = ["path", "identity", "camera", "split"]
    own, given = (frame.loc[frame.split.isin(TEST), columns] for frame in (run.records(), data.records))
    return len(own) == len(given) and bool((own.to_numpy() == given.to_numpy()).all())


def slug(name: str) -> str:
    """A data set's name as a part of a file name."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:40]


def _stored(
    run: Run,
    epoch: int,
    query: Embeddings | None,
    gallery: Embeddings | None,
    distances: npt.NDArray[np.float32] | None,
) -> RetrievalSet:
    origin = f"embeddings stored at epoch {epoch}" if distances is None else "an imported distance matrix"
    info = run.info.data
    frames = run.records("query"), run.records("gallery")
    return RetrievalSet(run.name, epoch, info.name, info.fingerprint, *frames, query, gallery, distances, origin)


def _embedded_now(
    run: Run, epoch: int | None, data: DataSet, visibility: str | None, *, foreign: bool, progress: bool
) -> RetrievalSet:
    from isp_core.parser import HumanParser  # loads every backbone's code; stored embeddings need none

    epochs = run.weight_epochs()
    epoch = epochs[-1] if epoch is None and epochs else epoch
    parser = HumanParser.load(run, epoch, visibility=visibility)
    frames = data.split("query"), data.split("gallery")
    query, gallery = (_embed(parser, data.paths(frame), progress) for frame in frames)
    origin = f"embedded by the weights of epoch {epoch}" + (f", trained on {run.info.data.name}" if foreign else "")
    found = RetrievalSet(
        run.name, epoch or 0, data.name, data.fingerprint, *frames, query, gallery, None, origin, foreign
    )
    return _ruled(found, run, visibility)


def _embed(parser: HumanParser, paths: list[Path], progress: bool) -> Embeddings | None:
    if not paths:
        return None
    starts = tqdm(range(0, len(paths), _BATCH), desc="embedding", disable=not progress, leave=False, delay=2)
    batches = [parser.embed(paths[start : start + _BATCH]) for start in starts]
    return Embeddings.join(batches)
