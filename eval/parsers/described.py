"""Any part parser given as an ONNX file with a YAML description (such as bodypix.yaml and schp_lip.yaml here)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pydantic import Field

from isp_core.errors import IspError
from isp_core.metrics.spaces import load_space
from isp_core.network_input import Described, Layout, NetworkInput, read_description
from isp_core.onnx_files import open_session
from isp_core.paths import as_path
from isp_eval.parsers.parsed import Parsed

Session = Callable[[npt.NDArray[np.float32]], Mapping[str, npt.NDArray[Any]]]
"""One image (1, ...) in, all outputs by name: an ONNX session, or anything that acts like one."""

_FOLDER = Path(__file__).parent


class ParserOutput(Described):
    """Where the scores of parts are, and, where background is none of them, those of "a person is here"."""

    parts: str | None = None
    person: str | None = None
    threshold: float = Field(0.5, ge=0, le=1)
    layout: Layout = "NCHW"


class ParserDescription(Described):
    """A parser in words: the content of a YAML file such as eval/parsers/bodypix.yaml."""

    name: str
    notes: tuple[str, ...] = ()
    input: NetworkInput
    output: ParserOutput
    space: str
    classes: dict[int, int]


def parser_names() -> tuple[str, ...]:
    """The descriptions that come with the project."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_description(name_or_path: str | Path) -> ParserDescription:
    """A description by name, or from a YAML file. IspError names the entry that is wrong and what is allowed."""
    path = as_path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = _FOLDER / f"{name_or_path}.yaml"
        if not path.is_file():
            raise IspError(
                f"parser {str(name_or_path)!r} is unknown; known: {', '.join(parser_names())}, or a YAML file"
            )
    description = read_description(path, ParserDescription, "eval/parsers/bodypix.yaml")
    known = {each.index for each in load_space(description.space).classes}
    strange = sorted(set(description.classes.values()) - known)
    if strange:
        raise IspError(f"{path}: class {strange[0]} is not one of label space {description.space!r}")
    return description


def open_onnx(file: Path, description: ParserDescription, threads: int = 0) -> Session:
    """An ONNX file as a Session. IspError where it cannot be opened or its input or outputs are called otherwise."""
    session = open_session(file, threads)
    inputs, outputs = [i.name for i in session.get_inputs()], [o.name for o in session.get_outputs()]
    name = description.input.name or (inputs[0] if len(inputs) == 1 else None)
    if name not in inputs:
        raise IspError(f"{file} has inputs {', '.join(inputs)}; the description {description.name} asks for {name}")
    wanted = [each for each in (description.output.parts, description.output.person) if each is not None]
    for each in wanted:
        if each not in outputs:
            raise IspError(
                f"{file} has outputs {', '.join(outputs)}; the description {description.name} asks for {each}"
            )

    def run(image: npt.NDArray[np.float32]) -> Mapping[str, npt.NDArray[Any]]:
        names = wanted if description.output.parts else outputs
        try:
            return dict(zip(names, session.run(names, {name: image}), strict=True))
        except Exception as error:
            raise IspError(
                f"{file} refused an input of shape {image.shape}: {str(error).splitlines()[0]}. "
                "Does the description give its size and layout?"
            ) from error

    return run


class DescribedParser:
    """A network with a description as a parser: label maps of its label space, at the images' own size."""

    def __init__(self, session: Session, description: ParserDescription) -> None:
        self._session, self.description = session, description
        self.name, self.space, self.notes = description.name, description.space, description.notes
        self._table = np.zeros(max(description.classes) + 1, np.uint8)
        for channel, label in description.classes.items():
            self._table[channel] = label

    def parse(self, image: Image.Image) -> Parsed:
        """Scores are resized bilinearly, then the best class is taken.

        Confidence: the mean, over the pixels that are not background, of that class's probability (softmax over the
        scores), times the person's where it is an output.
        """
        entry, given = self.description.input, self.description.output
        canvas, box = _fit(image, entry)
        outputs = self._session(entry.enter(np.asarray(canvas)[None]))
        parts = self._scores(outputs, given.parts)  # (1, classes, h, w)
        scores = _at_size(parts, box, entry.size, image)  # (classes, H, W)
        labels: npt.NDArray[np.uint8] = self._table[scores.argmax(axis=0)]
        certain = 1 / np.exp(scores - scores.max(axis=0)).sum(axis=0)
        if given.person is not None:
            person = torch.sigmoid(_channels_first(outputs[given.person], given.layout))
            here = _at_size(person, box, entry.size, image)[0]
            labels[here < given.threshold] = 0
            certain = certain * here
        return Parsed(labels, float(certain[labels > 0].mean()) if labels.any() else 0.0)

    def _scores(self, outputs: Mapping[str, npt.NDArray[Any]], name: str | None) -> torch.Tensor:
        classes, layout = len(self._table), self.description.output.layout
        if name is not None:
            scores = _channels_first(outputs[name], layout)
            if scores.shape[1] != classes:
                raise IspError(
                    f"output {name} has {scores.shape[1]} channels; the description names classes for {classes}"
                )
            return scores
        for array in outputs.values():
            if array.ndim == 4 and array.shape[1 if layout == "NCHW" else 3] == classes:
                return _channels_first(array, layout)
        shapes = ", ".join(f"{key} {array.shape}" for key, array in outputs.items())
        raise IspError(
            f"no output has {classes} channels ({shapes}): name it in the description, or correct its layout"
        )


_Box = tuple[int, int, int, int]


def _fit(image: Image.Image, entry: NetworkInput) -> tuple[Image.Image, _Box]:
    """The image at the network's size, and the box (top, bottom, left, right) it fills there."""
    height, width = entry.size
    if entry.fit == "stretch":
        return image.resize((width, height), Image.Resampling.BILINEAR), (0, height, 0, width)
    scale = min(height / image.height, width / image.width)
    h, w = max(1, round(image.height * scale)), max(1, round(image.width * scale))
    top, left = (height - h) // 2, (width - w) // 2
    canvas = Image.new("RGB", (width, height))
    canvas.paste(image.resize((w, h), Image.Resampling.BILINEAR), (left, top))
    return canvas, (top, top + h, left, left + w)


def _channels_first(scores: npt.NDArray[Any], layout: Layout) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(scores, np.float32))
    return tensor.permute(0, 3, 1, 2) if layout == "NHWC" else tensor


def _at_size(scores: torch.Tensor, box: _Box, size: tuple[int, int], image: Image.Image) -> npt.NDArray[np.float32]:
    """(1, C, h, w) scores of the whole input -> (C, H, W) of the image inside it."""
    top, bottom, left, right = box
    whole = torch.nn.functional.interpolate(scores, size, mode="bilinear", align_corners=True)
    inside = whole[:, :, top:bottom, left:right]
    back = torch.nn.functional.interpolate(inside, (image.height, image.width), mode="bilinear", align_corners=False)
    return back[0].numpy()
