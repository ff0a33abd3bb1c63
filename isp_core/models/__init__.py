"""Backbones, the global feature map M_g, part classifier, weighted pooling and BNNecks."""

from isp_core.models.backbone import Backbone, count_parameters, normalisation
from isp_core.models.network import ISPNet, NetworkSpec, Output, Representations, map_size, weighted_pooling
from isp_core.models.registry import Normalisation, register_backbone
from isp_core.models.weights import WeightsError

__all__ = [
    "Backbone",
    "ISPNet",
    "NetworkSpec",
    "Normalisation",
    "Output",
    "Representations",
    "WeightsError",
    "count_parameters",
    "map_size",
    "normalisation",
    "register_backbone",
    "weighted_pooling",
]
