"""Run directories for the app's tests, written with the real writer: drawn people, their part maps, embeddings.

Nothing here is learnt: maps start as noise and become the drawn parts, so that every page has something to show.
`python tests/app/synthetic.py --market OUT` writes one of Market-1501's size for the speed budget.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from isp_core.config import Config, load_config
from isp_core.matching import Embeddings
from isp_core.models import ISPNet
from isp_core.models.build import network_spec
from isp_core.runs import DataInfo, RunInfo, RunWriter, SplitCount, open_run
from isp_core.runs.maps import Maps

Pixels = npt.NDArray[np.uint8]
CLASSES = ("background", "head", "upper", "legs", "shoes", "belongings")


@dataclass(frozen=True)
class Person:
    """What somebody wears: colours of head, upper, legs, shoes, bag; bag: carried or not."""

    colours: npt.NDArray[np.float64]
    bag: bool


def person(identity: int) -> Person:
    rng = np.random.default_rng([7, identity])
    return Person(rng.uniform(30, 225, (6, 3)), bool(identity % 3 == 0))


def truth(identity: int, shot: int, height: int = 64, width: int = 32) -> Maps:
    """The part map of one drawn person, (height, width): classes of CLASSES."""
    rng = np.random.default_rng([11, identity, shot])
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    centre = 0.5 + rng.normal(0, 0.03)
    labels = np.zeros((height, width), np.uint8)
    labels[((y - 0.14) / 0.09) ** 2 + ((x - centre) / 0.14) ** 2 < 1] = 1
    labels[(y > 0.23) & (y < 0.55) & (abs(x - centre) < 0.24)] = 2
    labels[(y >= 0.55) & (y < 0.88) & (abs(abs(x - centre) - 0.11) < 0.09)] = 3
    labels[(y >= 0.88) & (y < 0.96) & (abs(abs(x - centre) - 0.13) < 0.11)] = 4
    if person(identity).bag:
        labels[(y > 0.28) & (y < 0.5) & (x > centre + 0.14) & (x < centre + 0.38)] = 5
    if shot % 5 == 4:
        labels[y > 0.7] = 0  # a wall hides legs and shoes
    return labels


def photo(identity: int, shot: int, height: int = 128, width: int = 64) -> Pixels:
    """The drawn picture, (height, width, 3)."""
    rng = np.random.default_rng([13, identity, shot])
    labels = truth(identity, shot, height, width)
    image = rng.normal(140, 12, (height, width, 3)) + np.linspace(-25, 25, height)[:, None, None]
    clothes = person(identity).colours
    for part in range(1, 6):
        image[labels == part] = 0.25 * image[labels == part] + 0.75 * clothes[part]
    if shot % 5 == 4:
        image[int(0.7 * height) :] = 90
    return image.clip(0, 255).astype(np.uint8)


def predicted(labels: Maps, parts: int, progress: float, rng: np.random.Generator) -> Maps:
    """What a run would say at `progress` in [0, 1]: noise that gives way to the drawn parts, merged to K parts."""
    clean = np.asarray(MERGE.get(parts, MERGE[6]), np.uint8)[labels]
    noise = rng.integers(0, parts, labels.shape).astype(np.uint8)
    return np.where(rng.random(labels.shape) < 0.75 * (1 - progress) ** 2, noise, clean).astype(np.uint8)


def records(train: int, test: int, shots: int, cameras: int = 4) -> pd.DataFrame:
    """Market-1501's layout: `train` and `test` identities with `shots` pictures each; the first of each is a query."""
    rows = []
    for identity in range(1, train + test + 1):
        for shot in range(shots):
            name = f"{identity:04d}_c{shot % cameras + 1}s1_{shot:06d}_00.jpg"
            split = "train" if identity <= train else "query" if shot == 0 else "gallery"
            folder = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}[split]
            rows.append((f"{folder}/{name}", identity, shot % cameras + 1, split, ""))
    table = pd.DataFrame(rows, columns=["path", "identity", "camera", "split", "subset"])
    order = table["split"].map({"train": 0, "query": 1, "gallery": 2})
    return table.assign(order=order).sort_values(["order", "path"]).drop(columns="order").reset_index(drop=True)


def shot_of(path: str) -> int:
    return int(Path(path).name.split("_")[2])


LIP = (0, 13, 5, 16, 18, 20)  # CLASSES as numbers of the label space "walkers"
MERGE = {4: (0, 1, 2, 3, 3, 2), 5: (0, 1, 2, 3, 4, 2), 6: (0, 1, 2, 4, 5, 3)}  # CLASSES to parts, by K


def write_pictures(root: Path, table: pd.DataFrame) -> None:
    """Pictures, and beside them their truth as SCHP's users lay it out."""
    for path, identity in zip(table["path"], table["identity"], strict=True):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(int(identity), shot_of(path))).save(file, quality=85)
        labels = np.asarray(LIP, np.uint8)[truth(int(identity), shot_of(path), 128, 64)]
        map_file = (root / f"{Path(path).parent}_parsing_pgt" / file.name).with_suffix(".png")
        map_file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(map_file)


BACKBONE = "mobilenetv2_100"


def config(parts: int, backbone: str = BACKBONE) -> Config:
    """A small network's configuration; its features have as many channels as the drawn embeddings."""
    wishes = {"model.backbone": backbone, "model.channels": 16, "data.size": [128, 64]}
    return load_config(overrides=wishes | ({"labels.parts": parts} if parts else {"labels.source": "none"}))


def info(table: pd.DataFrame, parts: int, name: str = "drawn", backbone: str = BACKBONE, **more: object) -> RunInfo:
    splits = {
        str(split): SplitCount(
            pictures=len(rows), identities=rows["identity"].nunique(), cameras=rows["camera"].nunique()
        )
        for split, rows in table.groupby("split")
    }
    fields = {
        "created": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC),
        "data": DataInfo(name=name, fingerprint="f" * 64, splits=splits),
        "config": config(parts, backbone).model_dump(mode="json"),
        "parts": parts,
        "backbone": backbone,
        "size": (128, 64),
        "labels": "clustering" if parts else "none",
    }
    return RunInfo.model_validate({**fields, **more})


def embeddings(table: pd.DataFrame, parts: int, spread: float, channels: int = 16, seed: int = 0) -> Embeddings:
    """Features that know the identity up to `spread`; part k is hidden where the drawn map lacks it."""
    rng = np.random.default_rng([17, seed, len(table)])
    shape = (len(table), 2 + max(0, parts - 1), channels)
    people = {int(i): np.random.default_rng([19, int(i)]).normal(size=shape[1:]) for i in table["identity"].unique()}
    features = np.stack([people[int(i)] for i in table["identity"]]) + spread * rng.normal(size=shape)
    drawn = [truth(int(i), shot_of(path)) for i, path in zip(table["identity"], table["path"], strict=True)]
    clean = np.stack([predicted(labels, parts or 2, 1.0, rng) for labels in drawn])
    share = np.stack([(clean == k).mean((1, 2)) for k in range(1, parts)], 1) if parts else np.zeros((len(table), 0))
    halves = features.astype(np.float16)
    if not parts:  # a network without parts has the global feature alone
        nothing = np.zeros((len(table), 0, 0), np.float16)
        return Embeddings(
            halves[:, 0], np.zeros((len(table), 0), np.float16), nothing, share > 0, share.astype(np.float16)
        )
    return Embeddings(halves[:, 0], halves[:, 1], halves[:, 2:], share > 0, share.astype(np.float16))


def write_run(
    path: Path,
    *,
    parts: int = 6,
    epochs: int = 4,
    train: int = 6,
    test: int = 6,
    shots: int = 5,
    spread: float = 1.2,
    maps: bool = True,
    vectors: bool = True,
    weights: bool = False,
    noted: bool = True,
    backbone: str = BACKBONE,
    **more: object,
) -> Path:
    """A small finished run. Rows of metrics use the columns of isp_core.training."""
    table = records(train, test, shots)
    writer = RunWriter.create(path, info(table, parts, backbone=backbone, **more), table)
    for epoch in range(epochs + 1):
        write_epoch(
            writer,
            table,
            parts,
            epoch,
            epochs,
            maps=maps,
            spread=spread,
            vectors=vectors,
            weights=weights,
            backbone=backbone,
        )
    if noted and parts:
        write_notes(path, parts, epochs)
    return path


def write_notes(path: Path, parts: int, epochs: int) -> None:
    """evaluation/parts.json and constant.json as training with truth writes them."""
    merge = MERGE.get(parts, MERGE[6])
    taken: dict[str, list[int]] = {}
    for code, name in enumerate(CLASSES[1:], start=1):
        if merge[code] not in [k for found in taken.values() for k in found]:
            taken[name] = [merge[code]]
    document = {"rule": "one-to-one"} | {name: taken.get(name, []) for name in CLASSES[1:]}
    run = open_run(path)
    RunWriter(run.path).write_evaluation("parts", {str(epoch): document for epoch in range(epochs + 1)})
    iou = {"foreground": 0.58, "head": 0.54, "upper": 0.4, "legs": 0.39, "shoes": 0.14, "belongings": 0.05}
    RunWriter(run.path).write_evaluation(
        "constant", {"rule": "one mask", "space": "walkers", "train": iou, "test": iou}
    )


def write_epoch(
    writer: RunWriter,
    table: pd.DataFrame,
    parts: int,
    epoch: int,
    epochs: int,
    *,
    maps: bool = True,
    spread: float = 1.2,
    vectors: bool = True,
    weights: bool = False,
    backbone: str = BACKBONE,
) -> None:
    progress = epoch / max(epochs, 1)
    rng = np.random.default_rng([23, epoch, parts])
    train = table[table["split"] == "train"]
    query, gallery = table[table["split"] == "query"], table[table["split"] == "gallery"]
    if maps and parts:
        for kind, rows in (("train", train), ("test", pd.concat([query, gallery]))):
            drawn = np.stack([truth(int(i), shot_of(p)) for i, p in zip(rows["identity"], rows["path"], strict=True)])
            writer.write_maps(kind, epoch, [(np.arange(len(rows)), predicted(drawn, parts, progress, rng))], len(rows))
            if kind == "train":
                heat = np.where(drawn > 0, 200, 60).astype(np.uint8)
                writer.write_maps("activation", epoch, [(np.arange(len(rows)), heat)], len(rows))
    if vectors and epoch == epochs:
        for split, rows in (("query", query), ("gallery", gallery)):
            writer.write_embeddings(split, epoch, embeddings(rows, parts, spread, seed=len(split)))
    if weights and epoch == epochs:
        torch.manual_seed(epoch)
        network = ISPNet(network_spec(config(parts, backbone), train["identity"].nunique()), weights="none")
        writer.write_checkpoint(epoch, network.state_dict(), None)
    row = {
        "loss_total": 6.0 - 4 * progress,
        "loss_parsing": 1.8 - 1.2 * progress,
        "lr": 3.5e-4,
        "churn": 0.6 * (1 - progress) + 0.02,
        "seconds_train": 10.0,
        "R-1": 0.4 + 0.4 * progress,
        "R-5": 0.6 + 0.35 * progress,
        "mAP": 0.3 + 0.4 * progress,
        **{f"{side}_iou_{name}": 0.2 + 0.5 * progress for side in ("train", "test") for name in ("foreground", "head")},
    }
    writer.finish_epoch(epoch, row if epoch or vectors else {**row, "R-1": float("nan")})


def write_market_size(path: Path, epochs: int = 120, channels: int = 256, parts: int = 7) -> None:
    """A run of Market-1501's size: 12,936 training, 3,368 query and 15,913 gallery pictures, maps of every epoch."""
    train = records(751, 0, 18).iloc[:12936]
    test = records(0, 751, 26)
    query = test[test["split"] == "query"]
    query = pd.concat([query.assign(path=query["path"].str.replace("_00.jpg", f"_{i:02d}.jpg")) for i in range(5)])
    gallery = test[test["split"] == "gallery"].iloc[:15913]
    table = pd.concat([train, query.iloc[:3368].sort_values("path"), gallery], ignore_index=True)
    writer = RunWriter.create(path, info(table, parts, name="market-size", size=(256, 128)), table)
    bank = np.stack([truth(i, shot) for i in range(32) for shot in range(5)])
    rng = np.random.default_rng(29)
    counts = {"train": len(train), "test": 3368 + len(gallery)}
    for epoch in range(epochs + 1):
        kinds = ("train", "test") if epoch % 10 == 0 else ("train",)
        for kind in kinds:
            writer.write_maps(kind, epoch, _batches(bank, counts[kind], parts, epoch / epochs, rng), counts[kind])
        if epoch == epochs:
            for split, n in (("query", 3368), ("gallery", len(gallery))):
                features = rng.standard_normal((n, 1 + parts, channels), np.float32).astype(np.float16)
                share = rng.random((n, parts - 1)).astype(np.float16) * 0.2
                vectors = Embeddings(features[:, 0], features[:, 1], features[:, 2:], share > 0.02, share)
                writer.write_embeddings(split, epoch, vectors)
        writer.finish_epoch(epoch, {"loss_total": 6 - 4 * epoch / epochs, "churn": 0.5 / (1 + epoch), "mAP": 0.5})


def _batches(
    bank: Maps, count: int, parts: int, progress: float, rng: np.random.Generator
) -> Iterator[tuple[npt.NDArray[np.int64], Maps]]:
    for start in range(0, count, 2048):
        rows = np.arange(start, min(start + 2048, count))
        yield rows, predicted(bank[rows % len(bank)], parts, 0.9 + 0.1 * progress, rng)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--market", action="store_true", help="one run of Market-1501's size instead of small ones")
    arguments = parser.parse_args()
    if arguments.market:
        write_market_size(arguments.out)
    else:
        everyone = records(6, 6, 5)
        write_pictures(arguments.out / "data", everyone)
        for K in (4, 5, 6):
            write_run(arguments.out / "runs" / f"k{K}", parts=K, epochs=12, weights=K == 6)
        write_run(arguments.out / "runs" / "baseline", parts=0, epochs=12, spread=2.5)
