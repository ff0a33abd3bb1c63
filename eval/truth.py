"""Truth for one's own pictures: any part parser given as an ONNX file with a YAML description, over a data set.

The label maps are "truth" as SCHP's are in the paper: made by a network, not by people.
Not here: judging by them (eval.parsing), learning from them (`isp train --labels FOLDER`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from isp_core.data import SPLITS, DataSet, read_picture
from isp_core.data.label_files import PARSER_FOLDER
from isp_core.errors import IspError
from isp_core.metrics.spaces import load_space
from isp_core.yaml_files import read_yaml

Layout = Literal["NCHW", "NHWC"]
Triple = tuple[float, float, float]
Session = Callable[[npt.NDArray[np.float32]], Mapping[str, npt.NDArray[Any]]]
"""One picture (1, ...) in, all outputs by name: an ONNX session, or anything that acts like one."""

_FOLDER = Path(__file__).parent / "parsers"


class ParserInput(BaseModel):
    """How a picture enters the network: x * scale + shift, x in 0..255, per channel in the order of `channels`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    size: tuple[int, int] = Field(description="height and width")
    layout: Layout = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"
    fit: Literal["stretch", "letterbox"] = "stretch"
    scale: Triple
    shift: Triple


class ParserOutput(BaseModel):
    """Where the scores of parts are, and, where background is none of them, those of "a person is here"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: str | None = None
    person: str | None = None
    threshold: float = Field(0.5, ge=0, le=1)
    layout: Layout = "NCHW"


class ParserDescription(BaseModel):
    """A parser in words: the content of a YAML file such as eval/parsers/bodypix.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    notes: tuple[str, ...] = ()
    input: ParserInput
    output: ParserOutput
    space: str
    classes: dict[int, int]


def parser_names() -> tuple[str, ...]:
    """The descriptions that come with the project."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_description(name_or_path: str | Path) -> ParserDescription:
    """A description by name, or from a YAML file. IspError names the entry that is wrong and what is allowed."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = _FOLDER / f"{name_or_path}.yaml"
        if not path.is_file():
            raise IspError(
                f"parser {str(name_or_path)!r} is unknown; known: {', '.join(parser_names())}, or a YAML file"
            )
    try:
        description = ParserDescription.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise IspError(f"{path}: {where}: {first['msg']}; eval/parsers/bodypix.yaml is an example") from None
    known = {each.index for each in load_space(description.space).classes}
    strange = sorted(set(description.classes.values()) - known)
    if strange:
        raise IspError(f"{path}: class {strange[0]} is not one of label space {description.space!r}")
    return description


def open_onnx(file: Path, description: ParserDescription, threads: int = 0) -> Session:
    """An ONNX file as a Session. IspError where it cannot be opened or its input or outputs are called otherwise."""
    import onnxruntime

    if not file.is_file():
        raise IspError(f"{file}: no such ONNX file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common root that it makes public
        raise IspError(f"{file} is not an ONNX file that can be opened: {str(error).splitlines()[0]}") from error
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

    def run(picture: npt.NDArray[np.float32]) -> Mapping[str, npt.NDArray[Any]]:
        names = wanted if description.output.parts else outputs
        try:
            return dict(zip(names, session.run(names, {name: picture}), strict=True))
        except Exception as error:
            raise IspError(
                f"{file} refused an input of shape {picture.shape}: {str(error).splitlines()[0]}. "
                "Does the description give its size and layout?"
            ) from error

    return run


class PartParser:
    """A parser that turns pictures into label maps of its label space, at the pictures' own size."""

    def __init__(self, session: Session, description: ParserDescription) -> None:
        self._session, self.description = session, description
        self._table = np.zeros(max(description.classes) + 1, np.uint8)
        for channel, label in description.classes.items():
            self._table[channel] = label

    def parse(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """(H, W) class numbers of an RGB picture. Scores are resized bilinearly, then the best class is taken."""
        entry, given = self.description.input, self.description.output
        canvas, box = _fit(picture, entry)
        outputs = self._session(_tensor(canvas, entry))
        parts = self._scores(outputs, given.parts)  # (1, classes, h, w)
        labels: npt.NDArray[np.uint8] = self._table[_at_size(parts, box, entry.size, picture).argmax(axis=0)]
        if given.person is not None:
            person = torch.sigmoid(_channels_first(outputs[given.person], given.layout))
            labels[_at_size(person, box, entry.size, picture)[0] < given.threshold] = 0
        return labels

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


@dataclass(frozen=True)
class TruthReport:
    """What make_truth did. empty: pictures on which the parser saw nobody."""

    written: int
    kept: int
    empty: tuple[str, ...]
    classes: dict[str, float]


def make_truth(
    parser: PartParser, data: DataSet, out: Path, splits: Sequence[str] = (), progress: bool = False
) -> TruthReport:
    """Writes OUT/<picture folder>_parsing_pgt/<name>.png for every picture: palette PNGs of its size, in SCHP's way.

    splits: those wanted, all by default. Files that are there are kept, so that an interrupted run goes on.
    The report gives the share of each class in the pixels written now.
    """
    strange = sorted(set(splits) - set(SPLITS))
    if strange:
        raise IspError(f"there is no split {strange[0]!r}; choose from {', '.join(SPLITS)}")
    frame = data.records[data.records.split.isin(splits)] if splits else data.records
    space = load_space(parser.description.space)
    palette = voc_palette()
    counts, empty, written, kept = np.zeros(256, np.int64), [], 0, 0
    for path in tqdm(list(frame.path), desc="parsing", disable=not progress, leave=False, delay=2):
        relative = PurePosixPath(path)
        file = out / relative.parent.with_name(relative.parent.name + PARSER_FOLDER) / f"{relative.stem}.png"
        if file.exists():
            kept += 1
            continue
        labels = parser.parse(read_picture(data.root / path))
        counts += np.bincount(labels.ravel(), minlength=256)
        if not labels.any():
            empty.append(path)
        _save(file, labels, palette)
        written += 1
    total = max(1, counts.sum())
    shares = {each.name: float(counts[each.index] / total) for each in space.classes if counts[each.index]}
    return TruthReport(written, kept, tuple(empty), shares)


def voc_palette() -> list[int]:
    """The colours of PASCAL VOC and SCHP for classes 0 to 255, as PIL takes them: three bits of a class number, from
    the lowest, are the next bits of red, green and blue, from the highest.

    >>> voc_palette()[:12]
    [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    """
    colours = np.zeros((256, 3), np.int64)
    labels = np.arange(256)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((labels >> (3 * bit + channel)) & 1) << (7 - bit)
    return [int(value) for value in colours.ravel()]


_Box = tuple[int, int, int, int]


def _fit(picture: Image.Image, entry: ParserInput) -> tuple[Image.Image, _Box]:
    """The picture at the network's size, and the box (top, bottom, left, right) it fills there."""
    height, width = entry.size
    if entry.fit == "stretch":
        return picture.resize((width, height), Image.Resampling.BILINEAR), (0, height, 0, width)
    scale = min(height / picture.height, width / picture.width)
    h, w = max(1, round(picture.height * scale)), max(1, round(picture.width * scale))
    top, left = (height - h) // 2, (width - w) // 2
    canvas = Image.new("RGB", (width, height))
    canvas.paste(picture.resize((w, h), Image.Resampling.BILINEAR), (left, top))
    return canvas, (top, top + h, left, left + w)


def _tensor(canvas: Image.Image, entry: ParserInput) -> npt.NDArray[np.float32]:
    pixels = np.asarray(canvas, np.float32)  # (H, W, 3)
    if entry.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    pixels = pixels * np.array(entry.scale, np.float32) + np.array(entry.shift, np.float32)
    return np.ascontiguousarray(pixels[None] if entry.layout == "NHWC" else pixels.transpose(2, 0, 1)[None])


def _channels_first(scores: npt.NDArray[Any], layout: Layout) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(scores, np.float32))
    return tensor.permute(0, 3, 1, 2) if layout == "NHWC" else tensor


def _at_size(scores: torch.Tensor, box: _Box, size: tuple[int, int], picture: Image.Image) -> npt.NDArray[np.float32]:
    """(1, C, h, w) scores of the whole input -> (C, H, W) of the picture inside it."""
    top, bottom, left, right = box
    whole = torch.nn.functional.interpolate(scores, size, mode="bilinear", align_corners=True)
    inside = whole[:, :, top:bottom, left:right]
    back = torch.nn.functional.interpolate(
        inside, (picture.height, picture.width), mode="bilinear", align_corners=False
    )
    return back[0].numpy()


def _save(file: Path, labels: npt.NDArray[np.uint8], palette: list[int]) -> None:
    picture = Image.fromarray(labels)
    picture.putpalette(palette)
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(temporary, format="PNG", optimize=True)
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise IspError(f"{file} could not be written ({error.strerror or error})") from error
