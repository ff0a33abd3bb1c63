"""What a run says of itself: run.json, the room it will take, and the lines a person reads while it trains."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from contextlib import suppress
from pathlib import Path

from isp_core.config import Config
from isp_core.data.records import DataSet
from isp_core.labelling.source import LabelOptions
from isp_core.labelling.sources import source_of
from isp_core.models import ISPNet, count_parameters
from isp_core.models.build import weight_bytes
from isp_core.runs import DataInfo, RunInfo, SplitCount
from isp_core.runs.schema import SPLITS, VALIDATION, new_info
from isp_core.training.watch import Row
from isp_core.version import VERSION, commit

_LIBRARIES = ("torch", "timm", "segmentation-models-pytorch", "numpy")


def run_info(config: Config, data: DataSet, network: ISPNet) -> RunInfo:
    """run.json of a run that begins now."""
    splits = {}
    held = () if data.split(VALIDATION).empty else (VALIDATION,)
    for split in (*SPLITS, *held):
        frame = data.split(split)
        cameras = frame.camera[frame.camera > 0].nunique()
        splits[split] = SplitCount(pictures=len(frame), identities=frame.identity.nunique(), cameras=cameras)
    return new_info(
        created=dt.datetime.now(dt.UTC),
        data=DataInfo(name=data.name, fingerprint=data.fingerprint, splits=splits),
        config=config.model_dump(mode="json"),
        parts=config.parts,
        backbone=config.model.backbone,
        parameters={"backbone": count_parameters(network.backbone), "network": count_parameters(network)},
        size=config.data.size,
        labels=config.labels.source,
        label_algorithm=source_of(config.labels).algorithm,
        seed=config.run.seed,
        weights=Path(config.model.weights).name,
        versions=_versions(),
    )


def bytes_needed(config: Config, data: DataSet, network: ISPNet) -> int:
    """Checkpoints by the policy, two resume states (two more copies for Adam, one for an average), maps, embeddings."""
    run, weights, train = config.run, weight_bytes(network), len(data.split("train"))
    checkpoints = {"all": run.epochs + 1, "best": 3, "last": 2}[run.keep]
    evaluations = 1 + (run.epochs // run.eval_every + 1 if run.eval_every else 0)
    test = len(data.records) - train
    features = 2 * (config.parts + 1) * network.feature_map.channels  # bytes an image, float16
    maps = sum(map(config.labels.due, range(run.epochs + 1))) * train * 600  # label and Eq. 3, compressed
    states = 2 * (3 if config.optim.average else 2)
    return weights * (checkpoints + states) + evaluations * test * (features + 300) + maps


def opening_line(info: RunInfo, needed: int, processes: int) -> str:
    """What is about to be trained, and the room it will take."""
    backbone, network = (info.parameters[name] / 1e6 for name in ("backbone", "network"))
    texts = [
        f"{info.backbone} ({backbone:.1f} M parameters, {network:.1f} M with all that is trained)",
        f"K = {info.parts}, labels from {info.labels}" if info.parts else "baseline without parts",
        f"{info.data.splits['train'].pictures} images of {info.data.splits['train'].identities} people",
        f"about {needed / 1e6:,.0f} MB of disk",
    ]
    if VALIDATION in info.data.splits:
        texts.append(f"{info.data.splits[VALIDATION].identities} more held out for validation")
    if processes > 1:
        texts.append(f"{processes} processes")
    return "; ".join(texts)


def one_camera_line(data: DataSet) -> str | None:
    """Why R-1 and mAP will be missing, where one camera took every image."""
    if data.records["camera"].nunique() != 1 or not data.has_cameras:
        return None
    return "one camera took every image: R-1 and mAP, which count matches of other cameras, will be missing"


def epoch_line(epoch: int, epochs: int, row: Row) -> str:
    """One line for a person: what the epoch cost and what it brought."""
    texts = [f"epoch {epoch}/{epochs}"]
    if "loss_total" in row:
        texts.append(f"loss {row['loss_total']:.3f}")
    shares = {
        "changed": "churn",
        "foreground": "test_iou_foreground",
        "train foreground": "train_iou_foreground",
        "validation foreground": "validation_iou_foreground",
        "validation R-1": "validation_R-1",
        "validation mAP": "validation_mAP",
        "R-1": "R-1",
        "mAP": "mAP",
    }
    for name, key in shares.items():
        if key in row and row[key] == row[key]:
            texts.append(f"{name} {100 * row[key]:.1f} %{_interval(row, key)}")
    seconds = sum(value for key, value in row.items() if key.startswith("seconds_"))
    return "  ".join([*texts, f"{seconds:.0f} s"])


def _interval(row: Row, key: str) -> str:
    """ " (60.1 to 64.2 by identity)" where the row holds the metric's interval."""
    low, high = row.get(f"{key}_low", float("nan")), row.get(f"{key}_high", float("nan"))
    return "" if low != low or high != high else f" ({100 * low:.1f} to {100 * high:.1f} by identity)"


def empty_parts_line(epoch: int, labels: LabelOptions, row: Row) -> str | None:
    """Says so where labels of a round lack whole parts, and what their source advises."""
    parts = labels.k
    empty = [str(part) for part in range(1, parts) if row.get(f"size_{part}", 1.0) == 0]
    if not empty:
        return None
    which = "any part" if len(empty) == parts - 1 else f"part {', '.join(empty)}"
    return f"labels {epoch}: no pixel in any image is of {which}: {source_of(labels).empty_parts.format(k=parts)}"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "isp-reid": VERSION}
    known = commit()
    if known is not None:
        versions["commit"] = known
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
