"""What is wrong with a run directory."""

from pathlib import Path

from isp_core.errors import IspError


class RunError(IspError):
    """A run directory that is missing, broken, of another schema, or lacks what was asked for."""


class WriteError(RunError):
    """A file of a run that cannot be written. target: the file or run; reason: why, in words."""

    def __init__(self, target: Path, reason: str, advice: str = "") -> None:
        super().__init__(f"{target} could not be written ({reason}){advice}")
        self.target, self.reason = target, reason
