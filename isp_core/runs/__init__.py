"""The run directory: the only interface between training, evaluation and the app (docs/run-directory.md)."""

from isp_core.runs.listing import RunSummary, list_runs
from isp_core.runs.reader import Run, open_run
from isp_core.runs.schema import SCHEMA, DataInfo, RunError, RunInfo, SplitCount
from isp_core.runs.writer import RunWriter

__all__ = [
    "SCHEMA",
    "DataInfo",
    "Run",
    "RunError",
    "RunInfo",
    "RunSummary",
    "RunWriter",
    "SplitCount",
    "list_runs",
    "open_run",
]
