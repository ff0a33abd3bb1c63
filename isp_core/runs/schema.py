"""What stands where in a run directory, and what run.json says. No reading or writing of arrays here."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from isp_core.json_reading import parse_json
from isp_core.runs.errors import RunError as RunError
from isp_core.runs.migration import migrate
from isp_core.runs.untrusted import MAX_ROWS, read_checked
from isp_core.text_files import shown

SCHEMA = "isp-run/2"

RUN_FILE = "run.json"
METRICS_FILE = "metrics.parquet"
RECORDS_FILE = "records.parquet"
RECORD_COLUMNS = ("path", "identity", "camera", "split", "subset")  # those of every data set; a run needs no data code
CHECKPOINTS = "checkpoints"
LABELS = "labels"
EMBEDDINGS = "embeddings"
EVALUATION = "evaluation"
VISIBILITY = "visibility"  # thresholds of each calibrated epoch
WEIGHTS_FILE = "model.safetensors"
STATE_FILE = "state.pt"
LOCK_FILE = ".lock"

MAX_DESCRIPTION = 4 * 2**20  # bytes of run.json; what training writes has 3 kB
MAX_PARTS = 255  # label maps have 8 bits a pixel, and 255 means ignored
MAX_SIDE = 8_192  # pixels of the network's input
MAX_ASPECT = 16  # height to width, or width to height
MAX_EPOCH = 1_000_000

MapKind = Literal["train", "test", "validation", "activation"]
"""Stores of one map an image: pseudo-labels of the training set, predictions of query + gallery and of the identities
held out for validation, and Eq. 3 of the training set."""
MAP_KINDS: tuple[MapKind, ...] = get_args(MapKind)

Split = Literal["train", "query", "gallery", "validation"]
SPLITS: tuple[Split, ...] = ("train", "query", "gallery")
VALIDATION: Split = "validation"
"""A split of runs with `data.validation` alone."""
TEST: tuple[Split, ...] = ("query", "gallery")
EMBEDDED: tuple[Split, ...] = (*TEST, VALIDATION)
EVALUATION_NAME = re.compile(r"^[A-Za-z0-9._-]{1,100}$")
CHOICE = ("validation_mAP", "mAP")
"""What the best epoch is chosen by: the first of these that a run has measured."""


Count = Annotated[int, Field(ge=0, le=MAX_ROWS)]
Text = Annotated[str, Field(max_length=500)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class SplitCount(BaseModel):
    """How many images, identities and cameras a split of the data set holds."""

    model_config = ConfigDict(frozen=True)

    pictures: Count
    identities: Count
    cameras: Count


class DataInfo(BaseModel):
    """The data set a run was made of: named by fingerprint, never copied."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[Text, BeforeValidator(lambda name: shown(name) if isinstance(name, str) else name)]
    fingerprint: Text
    splits: dict[Text, SplitCount] = Field(max_length=100)


class RunInfo(BaseModel):
    """The content of run.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # "schema" on disk; the attribute's name keeps clear of pydantic's own
    schema_version: str = Field(alias="schema", default=SCHEMA)
    created: dt.datetime
    data: DataInfo
    config: dict[str, Any]
    parts: int = Field(
        ge=0, le=MAX_PARTS, description="K: the parts of Eq. 5, background included; 0 where there are none"
    )
    backbone: Text = ""
    parameters: dict[Text, Annotated[int, Field(ge=0, le=10**12)]] = Field(
        default={}, max_length=100, description="numbers of weights: backbone, network (all trained)"
    )
    size: tuple[Side, Side] = Field(description="height and width of the network's input")
    labels: Text = Field(default="", description="the source of pseudo-labels; empty where it is unknown")
    label_algorithm: int | None = Field(default=None, description="of the source, when the run was begun; 0: unknown")
    seed: int = 0
    weights: Text = Field(default="", description="where the initial weights came from")
    versions: dict[Text, Text] = Field(default={}, max_length=500)
    imported: bool = False
    parent: Text | None = Field(
        default=None, description="of a look (isp look): the run whose network parsed the images; nothing was trained"
    )
    network: Text = Field(
        default="", description="of isp label --network: the network, not ours, whose feature maps were labelled"
    )
    order: dict[Text, Text] = Field(
        default={}, max_length=100, description="the images' order in each split (isp_core.runs.order); {} if older"
    )

    @property
    def trained(self) -> bool:
        """Whether the run is a training, or an import of one: not a look, nor labels of another network's maps."""
        return self.parent is None and not self.network

    @field_validator("size")
    @classmethod
    def _shaped(cls, size: tuple[int, int]) -> tuple[int, int]:
        if max(size) > MAX_ASPECT * min(size):
            raise ValueError(f"height and width differ by more than {MAX_ASPECT} times")
        return size


def new_info(**fields: Any) -> RunInfo:
    """The description of a run that is about to be written; RunError names a value that no run may have."""
    try:
        return RunInfo.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RunError(f"no run can be made with {where} = {str(first['input'])[:80]}: {first['msg']}") from None


def read_info(path: Path) -> RunInfo:
    """run.json of the run directory `path`; RunError says what is wrong with it and what to do."""
    file = path / RUN_FILE
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{path} is not a run: it has no {RUN_FILE}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from None
    text = read_checked(file, lambda found: found.read_text(encoding="utf-8"), path, MAX_DESCRIPTION)
    try:
        document = parse_json(text)
    except ValueError as error:
        raise RunError(f"{file} is not a run description: it is not JSON ({error})") from None
    try:
        info = RunInfo.model_validate(migrate(document) if isinstance(document, dict) else document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise RunError(f"{file} is not a run description: {where}: {first['msg']}") from None
    if info.schema_version != SCHEMA:
        raise RunError(
            f"{file} has schema {info.schema_version!r}; this version reads {SCHEMA!r}. "
            "Open it with the version that wrote it, or train the run again"
        )
    return info


def evaluation_file(root: Path, name: str) -> Path:
    """Where the run at `root` keeps the evaluation document `name`; RunError where that is no name for a file."""
    if not EVALUATION_NAME.match(name):
        raise RunError(f"{name!r} is not a name for an evaluation: letters, digits, dot, dash and underscore")
    return root / EVALUATION / f"{name}.json"


def epoch_name(epoch: int) -> str:
    """The name of an epoch's file or folder; they sort as numbers up to epoch 9999."""
    return f"epoch_{epoch:04d}"


def epoch_of(name: str) -> int | None:
    """The epoch that a file or folder name stands for, None where it stands for none."""
    stem = name.split(".")[0]
    digits = stem.removeprefix("epoch_")
    return int(digits) if stem.startswith("epoch_") and digits.isascii() and digits.isdigit() else None
