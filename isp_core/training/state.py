"""What a training holds besides its settings and data: with it, a killed run resumes bit for bit.

The weights lie in a file of their own (runs.schema.WEIGHTS_FILE), readable without the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isp_core.errors import IspError
from isp_core.losses import Objective
from isp_core.models import ISPNet
from isp_core.models.build import load_checkpoint
from isp_core.runs import Run
from isp_core.runs.checksums import require_unchanged
from isp_core.runs.schema import CHECKPOINTS, STATE_FILE, WEIGHTS_FILE
from isp_core.runs.untrusted import is_regular
from isp_core.tensor_files import read_tensor_file
from isp_core.training.averaging import WeightAverage
from isp_core.training.optimisation import Optimisation


@dataclass(frozen=True)
class TrainingState:
    """The network that is trained, its average if there is one, the centres of its losses, and its optimisers."""

    network: ISPNet
    average: WeightAverage | None
    objective: Objective
    optimisation: Optimisation

    @property
    def finished(self) -> ISPNet:
        """The network as an epoch leaves it, which labels, is evaluated and is stored: the average if there is one."""
        return self.network if self.average is None else self.average.network

    def document(self, epoch: int) -> dict[str, Any]:
        """All that a resumed run needs besides the weights of `finished`, after `epoch`."""
        state = self.optimisation.state_dict() | {
            "epoch": epoch,
            "objective": self.objective.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }
        return state if self.average is None else state | {"average": self.average.state_dict()}

    def restore(self, run: Run, epoch: int, device: torch.device) -> None:
        """Everything as it was after `epoch` of `run`, PyTorch's generator included.

        Raises:
            IspError: the epoch's state was pruned, or its files are not those that were written.
        """
        folder = run.checkpoint(epoch)
        if folder is None or not is_regular(folder / STATE_FILE):
            raise IspError(f"{run.path}: the state of epoch {epoch} was pruned; it cannot be resumed")
        load_checkpoint(self.finished, folder / WEIGHTS_FILE)
        for name in (WEIGHTS_FILE, STATE_FILE):
            require_unchanged(run.path, folder / name)
        state = read_tensor_file(folder / STATE_FILE, device)
        try:
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.optimisation.load_state_dict(state)
            self.objective.load_state_dict(state["objective"])
            torch.set_rng_state(state["torch_rng"].cpu())
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            raise IspError(
                f"{folder / STATE_FILE} is no state of this training ({type(error).__name__}: {str(error)[:200]}): "
                "copy the run again from where it was trained, or begin a new one"
            ) from error


def has_state(out: Path) -> bool:
    """Whether a run can be resumed from a checkpoint, rather than from its beginning."""
    return any((out / CHECKPOINTS).glob(f"epoch_*/{STATE_FILE}"))
