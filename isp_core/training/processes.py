"""The processes of one training: which of them speaks, and what they tell each other."""

from __future__ import annotations

import os
import re
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs

from isp_core.config import Config
from isp_core.errors import IspError
from isp_core.labelling.rounds import Round
from isp_core.training.watch import Row

_LOST_PEER = re.compile(r"gloo|NCCL|[Cc]onnection (closed|reset|refused)|Socket|timed out", re.MULTILINE)


class Processes:
    """One process or several, which train the same network (torchrun starts them)."""

    def __init__(self, config: Config) -> None:
        unused = bool(config.model.layers) or 5 not in config.model.stages
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            # stages that M_g leaves out have parameters that no loss reaches
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=unused)],
        )
        self.main, self.device = self.accelerator.is_main_process, self.accelerator.device
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        share = config.data.identities_per_batch // self.count
        if share * config.data.pictures_per_identity < 2:
            raise IspError(
                f"{self.count} processes share batches of {config.data.identities_per_batch} images: one image per "
                "process cannot be batch-normalised; raise data.pictures_per_identity"
            )

    def wait(self) -> None:
        """Until all are here."""
        self.accelerator.wait_for_everyone()

    def gather(self, own: Round) -> Round:
        """All processes' labels: each has zeros where another has labels."""
        if self.count == 1:
            return own

        def summed(maps: Any) -> Any:
            tensor = torch.from_numpy(maps).to(self.device)
            return self.accelerator.reduce(tensor, "sum").cpu().numpy()

        own.labels = summed(own.labels)
        own.activation = None if own.activation is None else summed(own.activation)
        return own

    def mean(self, row: Row) -> Row:
        """The mean of every number over the processes."""
        values = torch.tensor(list(row.values()), dtype=torch.float64, device=self.device)
        means = self.accelerator.reduce(values, "mean").tolist()
        return dict(zip(row, means, strict=True))


def lost_peer(error: RuntimeError) -> IspError | None:
    """What to say where another process was lost; None for any other error, and where there is one process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not _LOST_PEER.search(str(error)):
        return None
    return IspError(
        f"another process of this run was lost ({str(error).splitlines()[0][:120]}). Finished epochs are kept: "
        "start again with --resume, on as many processes as there are"
    )
