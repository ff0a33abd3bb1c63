"""The metrics once more as TensorBoard event files, where `run.tensorboard` asks for them. The record is the table."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from isp_core.config import ConfigError
from isp_core.training.watch import Row

FOLDER = "tensorboard"


def check_events(wanted: bool) -> None:
    """ConfigError where events are wanted and TensorBoard is not installed: said before a run is begun."""
    if wanted and find_spec("tensorboard") is None:
        raise ConfigError("run.tensorboard needs the package tensorboard: pip install tensorboard, or leave it out")


class Events:
    """Writes one scalar a metric and epoch below RUN/tensorboard."""

    def __init__(self, run: Path, first_epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # what an interrupted epoch wrote is hidden from view
        self._writer = SummaryWriter(str(run / FOLDER), purge_step=first_epoch)

    def write(self, epoch: int, row: Row) -> None:
        """The row of a finished epoch; empty cells are left out."""
        for name, value in row.items():
            if value == value:
                self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
