"""Where the files of the default parser's networks are, and the one command that gets what is missing.

BodyPix (Apache-2.0, 2.4 MB) comes with the project. BlazePose (Apache-2.0, 27 MB) is in the npm package
@mediapipe/pose, a smaller form in the PyPI package mediapipe: `isp truth --get-models` asks npm for the one, or pip for
the other, and keeps the file in the user's cache. Nothing is fetched without that option.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isp_core.errors import IspError
from isp_core.paths import as_path

BODYPIX = Path(__file__).parent / "bodypix.onnx"
GET_MODELS = "isp truth --get-models"
MINUTES = 15
"""What a package client may take."""


@dataclass(frozen=True)
class Model:
    """A file inside a package: its name and SHA-256, the command that brings the package, the archive it leaves."""

    file: str
    sha256: str
    package: str
    command: tuple[str, ...]
    archive: str


POSE_MODELS = (
    Model(
        file="pose_landmark_heavy.tflite",
        sha256="59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
        package="npm's @mediapipe/pose 0.5.1675469404",
        command=("npm", "pack", "--silent", "@mediapipe/pose@0.5.1675469404"),
        archive="*.tgz",
    ),
    Model(
        file="pose_landmark_full.tflite",
        sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        package="PyPI's mediapipe 0.10.14",
        command=(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--python-version=3.11", "--platform=manylinux_2_17_x86_64", "mediapipe==0.10.14"),
        ),
        archive="*.whl",
    ),
)
"""The best first."""


def cache_folder() -> Path:
    """Where models are kept: $ISP_CACHE, else isp-reid in the user's cache folder ($XDG_CACHE_HOME or ~/.cache)."""
    own = os.environ.get("ISP_CACHE")
    if own:
        return as_path(own)
    return as_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "isp-reid"


def find_pose_model() -> Path:
    """The best BlazePose file in the cache. IspError names the command that gets it."""
    for model in POSE_MODELS:
        file = cache_folder() / model.file
        if file.is_file():
            _check(file, model)
            return file
    raise IspError(
        f"BlazePose's network is not on this machine ({cache_folder()} has no {POSE_MODELS[0].file}). "
        f"Get it once with: {GET_MODELS} (npm or pip downloads it), or give your own file with --pose"
    )


def get_models(models: Sequence[Model] = POSE_MODELS) -> Path:
    """Downloads the best model that a package client has into the cache; returns its path. An existing file is kept.

    Raises:
        IspError: no client could bring one; says what each answered.
    """
    answers = []
    for model in models:
        target = cache_folder() / model.file
        if target.is_file():
            _check(target, model)
            return target
        try:
            _fetch(model, target)
            return target
        except IspError as error:
            answers.append(f"{model.file} from {model.package}: {error}")
    raise IspError("no model could be downloaded:\n  " + "\n  ".join(answers))


def _fetch(model: Model, target: Path) -> None:
    client = model.command[0]
    if shutil.which(client) is None:
        raise IspError(f"{client} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                model.command, cwd=folder, capture_output=True, text=True, timeout=60 * MINUTES, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise IspError(f"{client} did not finish: {error}") from error
        archive = next(Path(folder).glob(model.archive), None)
        if done.returncode or archive is None:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise IspError(f"{client} failed: {said[-1] if said else 'it printed nothing'}")
        try:
            extracted = _extract(archive, model.file, Path(folder))
        except (zipfile.BadZipFile, zlib.error, tarfile.TarError, EOFError, OSError) as error:  # of half an archive
            raise IspError(
                f"{client} left a damaged archive, {archive.name} ({error}): run {GET_MODELS} again"
            ) from error
        _check(extracted, model)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            shutil.copyfile(extracted, temporary)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise IspError(f"{target} could not be written ({error.strerror or error})") from error


def _extract(archive: Path, name: str, into: Path) -> Path:
    """The one file called `name` in a wheel or npm archive, written into the folder under that name."""
    target = into / name
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            inside = next((each for each in wheel.namelist() if each.endswith(f"/{name}")), None)
            if inside is not None:
                target.write_bytes(wheel.read(inside))
    else:
        with tarfile.open(archive) as package:
            member = next((each for each in package.getmembers() if each.name.endswith(f"/{name}")), None)
            stream = package.extractfile(member) if member is not None else None
            if stream is not None:
                target.write_bytes(stream.read())
    if not target.is_file():
        raise IspError(f"{archive.name} holds no {name}")
    return target


def _check(file: Path, model: Model) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != model.sha256:
        raise IspError(
            f"{file} is not {model.file} of {model.package} (its SHA-256 differs): delete it and run {GET_MODELS}"
        )
