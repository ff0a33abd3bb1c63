"""The whole configuration of a run: typed, checked, with presets in YAML. Nothing else decides what a run does.

A value comes from, in rising priority: the defaults (the paper's, section 4.2), a preset, a YAML file, the command
line. An unknown key or a value out of range says what is allowed.
"""

from isp_core.config.checking import check_config
from isp_core.config.layers import changed, load_config, parse_assignments, preset_names
from isp_core.config.schema import Config
from isp_core.config.sections import DataConfig, LossConfig, ModelConfig, OptimConfig, RunConfig
from isp_core.section import ConfigError

__all__ = [
    "Config",
    "ConfigError",
    "DataConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "RunConfig",
    "changed",
    "check_config",
    "load_config",
    "parse_assignments",
    "preset_names",
]
