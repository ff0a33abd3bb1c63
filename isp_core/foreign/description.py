"""A network in words: the YAML file next to an ONNX or TorchScript file (docs/other-networks.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictInt, StrictStr, field_validator

from isp_core.network_input import Described, Layout, NetworkInput, read_description
from isp_core.paths import as_path

Output = Annotated[StrictInt, Field(ge=0)] | Annotated[StrictStr, Field(min_length=1)]
"""A name, or a place in the order of the outputs, from 0."""


class MapOutput(Described):
    """Where the feature map is. layout: of the map. embedding: the network's own feature of the whole image; None: the
    mean of the map is taken."""

    map: Output
    layout: Layout = "NCHW"
    embedding: Output | None = None


class NetworkDescription(Described):
    """The content of the YAML file. file: the network's, beside the YAML file or with its path; name: for captions."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    file: Annotated[str, Field(min_length=1)]
    notes: tuple[str, ...] = ()
    input: NetworkInput
    output: MapOutput

    @field_validator("input")
    @classmethod
    def _stretched(cls, entry: NetworkInput) -> NetworkInput:
        if entry.fit != "stretch":
            raise ValueError("fit: letterbox pads images, and the padding would be clustered too; use stretch")
        return entry


def load_network_description(path: Path) -> tuple[NetworkDescription, Path]:
    """The description in a YAML file, and the network's file. IspError names the entry that is wrong."""
    found = read_description(path, NetworkDescription, "docs/other-networks.md")
    return found, path.parent / as_path(found.file)
