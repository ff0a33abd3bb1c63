"""What is wrong with a run directory."""

from isp_core.errors import IspError


class RunError(IspError):
    """A run directory that is missing, broken, of another schema, or lacks what was asked for."""
