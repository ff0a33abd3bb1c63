"""The training loop of section 3: label, train an epoch, measure, write; again. Read it from top to bottom.

Epoch 0 is the state before training. The labels of epoch e are made by the network as it is after e epochs, and epoch
e + 1 trains on them. Everything random is a function of (seed, epoch, place): a run that was killed goes on from its
last finished epoch and ends in the same weights, bit for bit on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from isp_core.assignment import note
from isp_core.calibration import calibrate
from isp_core.config import Config
from isp_core.data.batches import EpochBatches
from isp_core.data.carrying import Carrying
from isp_core.data.pictures import PictureCache, require_pictures
from isp_core.data.records import DataSet
from isp_core.errors import IspError
from isp_core.labelling.rounds import Labeller, Labels, TrainingPictures, collect
from isp_core.labelling.sources import source_of
from isp_core.losses import balancing_shift
from isp_core.matching import Calibration
from isp_core.metrics.labels import part_sizes
from isp_core.metrics.part_scores import Assignment
from isp_core.models import ISPNet, map_size, normalisation
from isp_core.models.build import network_spec
from isp_core.noted_parts import DOCUMENT, read_document
from isp_core.progress import counted, progress_bar
from isp_core.runs import Run, RunError, RunWriter, open_run
from isp_core.runs.writer import require_room, sole_writer
from isp_core.training.averaging import WeightAverage
from isp_core.training.description import (
    bytes_needed,
    empty_parts_line,
    epoch_line,
    one_camera_line,
    opening_line,
    run_info,
)
from isp_core.training.evaluation import Evaluator
from isp_core.training.events import Events, check_events
from isp_core.training.memory import keep_freed_memory
from isp_core.training.optimisation import Optimisation, objective_of
from isp_core.training.places import anchored, relocated
from isp_core.training.processes import Processes, lost_peer
from isp_core.training.resume import other_algorithm_line, require_same_maps, resumable
from isp_core.training.sampling import augmentation, identity_batches
from isp_core.training.schedule import learning_rate
from isp_core.training.state import TrainingState, has_state
from isp_core.training.watch import Row, TruthWatch, label_row

Report = Callable[[str], None]


def train(
    config: Config,
    data: DataSet,
    out: Path,
    *,
    resume: bool = False,
    truth: tuple[Path, str] | None = None,
    report: Report = print,
    progress: bool = True,
) -> Run:
    """Trains a run into the folder `out` and returns it.

    resume: go on from the last finished epoch of the run in `out` (with its configuration, but for run.epochs).
    truth: a folder of label maps and their label space, to measure IoU by, never to learn from (default: run.truth).
    report: takes a line of text after each epoch. progress: bars on standard error.
    IspError where data, configuration or disk do not allow it; nothing finished is ever lost.
    """
    keep_freed_memory()
    config = relocated(config, (data.root, out), has_state(out)) if resume else anchored(config)
    if truth is None and config.run.truth is not None:
        truth = Path(config.run.truth), config.run.space
    try:
        with ExitStack() as held:
            return _Training(config, data, out, resume, truth, report, progress, held).run()
    except RuntimeError as error:
        if (lost := lost_peer(error)) is None:
            raise
        raise lost from error


class _Training:
    def __init__(
        self,
        config: Config,
        data: DataSet,
        out: Path,
        resume: bool,
        truth: tuple[Path, str] | None,
        report: Report,
        progress: bool,
        held: ExitStack,
    ) -> None:
        self.processes = Processes(config)
        self.main, self.device = self.processes.main, self.processes.device
        if config.data.identities is not None:
            data = data.take_identities(config.data.identities)
        data = data.hold_out(config.data.validation)
        if resume:
            resumable(out, data)  # first: of other data, nothing else that is said would help
        self.config, self.data, self.out = config, data, out
        self.report, self.progress = (report if self.main else _silent), progress and self.main
        self.size, self.held = map_size(config.data.size), held

        train = data.split("train")
        if train.empty:
            raise IspError(f"{data.root} has no training images: it can be tested on and parsed, not trained on")
        self.people, self.targets = np.unique(np.asarray(train.identity), return_inverse=True)
        with progress_bar("images", len(data.records), self.progress) as bar:
            require_pictures(data.paths(data.records), progress=bar.update)
        cache_bytes = config.data.cache_mb * 2**20
        self.pictures = PictureCache(data.paths(train), config.data.size, cache_bytes)
        self.by = normalisation(config.model.backbone)
        self.evaluator = Evaluator(config, data, self.by, self.device, self.progress)
        self.batches = identity_batches(config, np.asarray(train.identity), self.processes)
        self.transform = augmentation(config, self.by)

        torch.manual_seed(config.run.seed)
        # a checkpoint replaces them, so that a resumed run needs its initial weights no more
        weights = "none" if resume and has_state(out) else config.model.weights
        self.network = ISPNet(network_spec(config, len(self.people)), weights)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        decay = config.optim.average
        self.average = WeightAverage(self.network, decay) if decay else None
        self.objective = objective_of(config, self.network, len(self.people), self.device)
        self.optimisation = Optimisation(self.network, self.objective, config, self.processes.accelerator)
        self.state = TrainingState(self.network, self.average, self.objective, self.optimisation)
        training = TrainingPictures(
            self.pictures,
            list(train.path),
            self.targets,
            np.asarray(train.camera),
            self.by,
            self.device,
            config.data.workers,
            self.processes.rank,
            self.processes.count,
        )
        self.source = source_of(config.labels)
        self.labeller = self.source.make(config.labels, training, config.run.seed)
        self.own_pictures = sum(map(len, training.own_identities()))
        self.truth = TruthWatch(data, *truth, self.size) if truth is not None and self.main else None

        carry, label = config.data.carry, config.belongings
        self.carrying = Carrying(carry, label) if carry and label is not None else None

        self.epoch, self.labels = -1, np.zeros((0, *self.size), np.uint8)
        self.first_labels: Labels | None = None
        self.assignment: Assignment | None = None
        events = config.run.tensorboard and self.main
        check_events(events)
        self.resumed = resume
        self.writer = self._resume() if resume else self._create()
        self.events = held.enter_context(closing(Events(out, self.epoch + 1))) if events else None
        self.parallel = self.processes.accelerator.prepare_model(self.network)

    # ------------------------------------------------------------------------------------------------------ the loop

    def run(self) -> Run:
        if self.epoch < 0:
            self._begin()
        while self.epoch < self.config.run.epochs:
            self._finish_epoch(self.epoch + 1, self._train_epoch(self.epoch + 1))
        self.processes.wait()
        return open_run(self.out)

    def _begin(self) -> None:
        """Epoch 0. Settings that turn out not to suit each other, or the data, leave no folder of a run behind."""
        if self.labeller is not None and self.config.labels.due(0):
            self.report(f"{self.out}: labelling {self.own_pictures} images before the first epoch")
        try:
            self._finish_epoch(0, {})
        except IspError:
            if self.main and not self.resumed:
                self.writer.discard()
            raise

    def _train_epoch(self, epoch: int) -> Row:
        """One pass over the batches with the labels of the epoch before; Eq. 7."""
        start = time.perf_counter()
        self.parallel.train()
        plan = self.batches.batches(epoch)
        place = self.processes.rank * sum(len(batch) for batch in plan)
        labels = self.labels if len(self.labels) else None  # none yet, or never
        self.objective.alpha = self.config.loss.alpha(epoch)
        epoch_batches = EpochBatches(
            self.pictures,
            self.targets,
            labels,
            plan,
            self.transform,
            self.config.run.seed,
            epoch,
            place,
            self.config.data.occlude,
            self.carrying,
        )
        loader = DataLoader(epoch_batches, batch_size=None, num_workers=self.config.data.workers)
        shift = None
        if labels is not None and self.config.loss.balance:
            sizes = torch.from_numpy(part_sizes(labels, self.config.parts)).to(self.device)
            shift = balancing_shift(sizes, self.config.loss.balance)
        totals: Row = {}
        rate = 0.0
        for step, batch in enumerate(counted(loader, f"epoch {epoch}", len(plan), show=self.progress)):
            rate = learning_rate(self.config.optim, epoch, step, len(plan))
            batch = batch.to(self.device)
            pictures = batch.pictures.contiguous(memory_format=torch.channels_last)
            with self.optimisation.autocast():
                output = self.parallel(pictures)
            maps = None if batch.label_maps is None else batch.label_maps.long()
            terms = self.objective(output, batch.targets, maps, shift)
            if not torch.isfinite(terms.total):
                raise IspError(
                    f"the loss of epoch {epoch}, step {step + 1} is {float(terms.total)}: lower optim.lr or set "
                    f"optim.precision=fp32, then resume from epoch {epoch - 1} with --resume"
                )
            self.optimisation.step(terms.total, rate)
            if self.average is not None:
                self.average.follow()
            for name, value in terms.detached().items():
                totals[name] = totals.get(name, 0.0) + value / len(plan)
        means = self.processes.mean(totals)
        return means | {"lr": rate, "steps": len(plan), "seconds_train": time.perf_counter() - start}

    def _finish_epoch(self, epoch: int, row: Row) -> None:
        """Label, measure and write the state after `epoch`; with the last write the epoch counts."""
        if self.labeller is not None and self.config.labels.due(epoch):
            row |= self._label(self.labeller, epoch)
        row |= self._evaluate(epoch)
        if self.main:
            self.writer.write_checkpoint(epoch, self.state.finished.state_dict(), self.state.document(epoch))
            self.writer.finish_epoch(epoch, row)
            if self.events is not None:
                self.events.write(epoch, row)
            self._prune(epoch)
        self.epoch = epoch
        self.report(epoch_line(epoch, self.config.run.epochs, row))
        self.processes.wait()

    # ---------------------------------------------------------------------------------------------- labels and measures

    def _label(self, labeller: Labeller, epoch: int) -> Row:
        stream = counted(
            labeller.round(self.state.finished, epoch, self.first_labels),
            f"labels {epoch}",
            self.own_pictures,
            lambda item: len(item.rows),
            show=self.progress,
        )
        found = self.processes.gather(collect(stream, len(self.targets), self.size))
        previous, self.labels = (self.labels if len(self.labels) else None), found.labels
        if self.first_labels is None:
            self.first_labels = found.labels
        row = label_row(found.labels, previous, self.config.parts)
        row |= {"seconds_network": found.seconds_network, "seconds_clustering": found.seconds_clustering}
        if warning := empty_parts_line(epoch, self.config.labels, row):
            self.report(warning)
        if self.main:
            everything = [(np.arange(len(found.labels)), found.labels)]
            self.writer.write_maps("train", epoch, everything, len(found.labels))
            if found.activation is not None and self.config.run.activation:
                everything = [(np.arange(len(found.labels)), found.activation)]
                self.writer.write_maps("activation", epoch, everything, len(found.labels))
        if self.truth is not None:
            truth_row, self.assignment = self.truth.train_row(found.labels, self.config.parts)
            row |= truth_row
            self._note_assignment(epoch, self.assignment)
        return row

    def _evaluate(self, epoch: int) -> Row:
        if not self.main:
            return {}
        found: Row = {}
        due = self.evaluator.due(epoch)
        calibration = self._calibrate(epoch) if due else None
        for what in due:
            row = self.evaluator.evaluate(
                what, self.state.finished, epoch, self.writer, self.truth, self.assignment, calibration
            )
            seconds = found.get("seconds_evaluation", 0.0) + row["seconds_evaluation"]
            found |= row | {"seconds_evaluation": seconds}
        return found

    def _calibrate(self, epoch: int) -> Calibration | None:
        """Visibility thresholds by the labels that there are; None without parts, or before the first labels."""
        if self.labeller is None:
            return None
        labelled = [each for each in range(epoch + 1) if self.config.labels.due(each)]
        if not labelled:
            return None
        found = calibrate(
            self.state.finished,
            self.pictures,
            self.labels,
            self.by,
            self.device,
            epoch=epoch,
            labels_epoch=labelled[-1],
            seed=self.config.run.seed,
            workers=self.config.data.workers,
            show=self.progress,
        )
        self.writer.write_calibration(found)
        return found

    def _note_assignment(self, epoch: int, assignment: Assignment) -> None:
        known: dict[str, Any] = {}
        with suppress(RunError):
            known = read_document(open_run(self.out))
        self.writer.write_evaluation(DOCUMENT, known | {str(epoch): note(assignment)})

    # ------------------------------------------------------------------------------------------------- start and resume

    def _create(self) -> RunWriter:
        writer = RunWriter(self.out)
        if self.main:
            needed = bytes_needed(self.config, self.data, self.network)
            way_out = "keep fewer checkpoints (--set run.keep=last), or choose another disk with --out"
            require_room(self.out, needed, "this run", way_out)
            info = run_info(self.config, self.data, self.network)
            writer = RunWriter.create(self.out, info, self.data.records, self.held)
            self.report(f"{self.out}: {opening_line(info, needed, self.processes.count)}")
            if line := one_camera_line(self.data):
                self.report(f"{self.out}: {line}")
            if self.truth is not None:
                writer.write_evaluation("constant", self.truth.baseline())
        self.processes.wait()
        return writer

    def _resume(self) -> RunWriter:
        run = resumable(self.out, self.data)
        self.epoch = max(run.epochs, default=-1)
        writer = RunWriter(self.out)
        if self.main:
            self.held.enter_context(sole_writer(self.out))
            self.epoch = max(run.epochs, default=-1)  # as it is now that no one else writes
            writer.drop_after(self.epoch)
        self.processes.wait()
        if self.epoch < 0:
            return writer
        self.state.restore(run, self.epoch, self.device)
        labelled = run.label_epochs("train")
        if labelled:
            self.first_labels, self.labels = run.labels("train", labelled[0]), run.labels("train", labelled[-1])
            require_same_maps(self.out, self.labeller, self.first_labels)
            if self.truth is not None:
                _, self.assignment = self.truth.train_row(self.labels, self.config.parts)
        self.report(f"{self.out}: resumed after epoch {self.epoch}")
        if line := other_algorithm_line(run, self.source):
            self.report(line)
        return writer

    # ----------------------------------------------------------------------------------------------------- small things

    def _prune(self, epoch: int) -> None:
        self.writer.keep_states(epoch)
        if self.config.run.keep == "all":
            return
        kept, run = {epoch}, open_run(self.out)
        if self.config.run.keep == "best":
            with suppress(RunError):  # nothing was evaluated yet
                kept.add(run.best_epoch())
        self.writer.keep_weights(kept)


def _silent(_: str) -> None:
    """A no-op reporter: only the main process prints."""
