"""What goes wrong in clustering."""

from isp_core.errors import IspError


class ClusteringError(IspError):
    """Input that cannot be clustered."""
