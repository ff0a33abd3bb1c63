"""Pseudo-part-labels by clustering (section 3.2): the cascade for the maps of one identity. Kernels: line, kmeans."""

from isp_core.clustering.cascade import IdentityLabels, label_identity
from isp_core.clustering.config import CascadeConfig, FirstStage, Variant
from isp_core.clustering.errors import ClusteringError

__all__ = ["CascadeConfig", "ClusteringError", "FirstStage", "IdentityLabels", "Variant", "label_identity"]
