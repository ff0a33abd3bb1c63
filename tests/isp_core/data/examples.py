"""A tiny example of every layout and spelling, for the shared test of the readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image


def save_picture(path: Path, size: tuple[int, int] = (64, 128), mode: str = "RGB") -> Path:
    """A grey-ish picture of (width, height) at `path`, folders made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


def save_all(root: Path, *names: str) -> Path:
    """Empty files would do for reading tables, but the report opens them: tiny pictures."""
    for name in names:
        save_picture(root / name, size=(8, 16))
    return root


@dataclass(frozen=True)
class Example:
    """A layout on disk and what a reader must find in it.

    `make` writes it under a folder and returns what is given to `load`.
    """

    spelling: str
    make: Callable[[Path], Path]
    layout: str
    name: str
    pictures: dict[str, int]  # per split
    people: dict[str, int]
    cameras: int
    occluded: int = 0


def _market(folder: str, given: str | None = None) -> Callable[[Path], Path]:
    def make(tmp: Path) -> Path:
        save_all(
            tmp / folder,
            "bounding_box_train/0002_c1s1_000451_03.jpg",
            "bounding_box_train/0002_c2s1_000551_01.jpg",
            "bounding_box_train/0007_c3s3_077419_03.jpg",
            "query/0001_c1s1_001051_00.jpg",
            "bounding_box_test/0001_c2s1_001976_01.jpg",
            "bounding_box_test/0000_c1s1_000151_01.jpg",
            "bounding_box_test/-1_c6s3_090167_06.jpg",
        )
        (tmp / folder / "bounding_box_train" / "Thumbs.db").write_bytes(b"not a picture")
        (tmp / folder / "readme.txt").write_text("as distributed")
        return tmp / (given or folder)

    return make


def _duke(folder: str, given: str | None = None) -> Callable[[Path], Path]:
    def make(tmp: Path) -> Path:
        save_all(
            tmp / folder,
            "bounding_box_train/0001_c2_f0046182.jpg",
            "bounding_box_train/0005_c5_f0051341.jpg",
            "query/0002_c8_f0055005.jpg",
            "bounding_box_test/0002_c1_f0044158.jpg",
        )
        return tmp / (given or folder)

    return make


def _cuhk(folder: str, suffix: str, given: str | None = None) -> Callable[[Path], Path]:
    def make(tmp: Path) -> Path:
        save_all(
            tmp / folder,
            f"bounding_box_train/0001_c1_1.{suffix}",
            f"bounding_box_train/0001_c2_06.{suffix}",
            f"query/0003_c1_1.{suffix}",
            f"bounding_box_test/0003_c2_7.{suffix}",
        )
        # label maps of a parser lie beside the pictures
        save_picture(tmp / folder / "bounding_box_train_parsing_pgt/0001_c1_1.png", size=(8, 16), mode="L")
        return tmp / (given or folder)

    return make


def _msmt(folder: str, train: str, test: str) -> Callable[[Path], Path]:
    def make(tmp: Path) -> Path:
        root = tmp / folder
        lists = {
            "train": ["0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_000_05_0303noon_0130_0.jpg 1"],
            "val": ["0000/0000_001_14_0303morning_0026_1.jpg 0"],
            "query": ["0000/0000_000_15_0302noon_0041_0.jpg 0"],
            "gallery": ["0000/0000_001_02_0302noon_0011_1.jpg 0", "0001/0001_003_02_0302noon_0012_1.jpg 1"],
        }
        for split, lines in lists.items():
            folder_ = train if split in ("train", "val") else test
            save_all(root / folder_, *(line.split()[0] for line in lines))
            (root / f"list_{split}.txt").write_text("\n".join(lines) + "\n")
        return root

    return make


def _occluded_reid(folder: str, flat: bool) -> Callable[[Path], Path]:
    def make(tmp: Path) -> Path:
        for kind in ("occluded_body_images", "whole_body_images"):
            for person in ("001", "002"):
                for number in ("01", "02"):
                    place = kind if flat else f"{kind}/{person}"
                    save_all(tmp / folder, f"{place}/{person}_{number}.tif")
        return tmp / folder

    return make


def _people(tmp: Path) -> Path:
    for person in ("anna", "ben", "carla", "dora"):
        save_all(tmp / "mine", *(f"{person}/{number}.JPG" for number in range(3)))
    return tmp / "mine"


def _people_with_splits(tmp: Path) -> Path:
    save_all(
        tmp / "mine", "train/1/c1_a.png", "train/2/c2_a.png", "test/3/c1_a.png", "test/3/c1_b.png", "test/3/c2_a.png"
    )
    return tmp / "mine"


def _flat(tmp: Path) -> Path:
    save_all(
        tmp / "crops", *(f"000{person}_c{c}s1_00{n}_00.jpg" for person in range(1, 5) for c in (1, 2) for n in (1, 2))
    )
    return tmp / "crops"


TABLE = pd.DataFrame(
    {
        "path": ["a/1.png", "a/2.png", "b/1.png", "b/2.png"],
        "identity": [1, 1, 2, 2],
        "camera": [1, 2, 1, 2],
        "split": ["train", "train", "query", "gallery"],
        "subset": ["", "", "occluded", ""],
    }
)


def _table(as_given: str) -> Callable[[Path], Path]:
    """A table of this name in the folder "listed"; given is the folder for a known name, else the file."""

    def make(tmp: Path) -> Path:
        root = save_all(tmp / "listed", *TABLE["path"])
        path = root / as_given
        if path.suffix == ".parquet":
            TABLE.assign(label="labels/x.png").to_parquet(path)
        else:
            TABLE.to_csv(path, index=False)
        return root if as_given.startswith("records") else path

    return make


def _walkers(tmp: Path) -> Path:
    root = save_all(
        tmp / "walkers",
        "bounding_box_train/0001_c1s1_000000_00.jpg",
        "query/0002_c1s1_000000_00.jpg",
        "bounding_box_test/0002_c2s1_000000_00.jpg",
    )
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    table = pd.DataFrame({"path": paths, "identity": [2, 1, 2], "camera": [2, 1, 1]})
    table["split"], table["subset"] = ["gallery", "train", "query"], ["", "", "occluded"]
    table["label"] = [f"labels/{Path(path).stem}.png" for path in paths]
    table.to_parquet(root / "records.parquet")
    return root


_MARKET = {"pictures": {"train": 3, "query": 1, "gallery": 3}, "people": {"train": 2, "query": 1, "gallery": 1}}
_DUKE = {"pictures": {"train": 2, "query": 1, "gallery": 1}, "people": {"train": 2, "query": 1, "gallery": 1}}
_CUHK = {"pictures": {"train": 2, "query": 1, "gallery": 1}, "people": {"train": 1, "query": 1, "gallery": 1}}
_WALKERS = {"pictures": {"train": 1, "query": 1, "gallery": 1}, "people": {"train": 1, "query": 1, "gallery": 1}}
_MSMT = {"pictures": {"train": 3, "query": 1, "gallery": 2}, "people": {"train": 2, "query": 1, "gallery": 2}}
_OCCLUDED = {"pictures": {"train": 0, "query": 4, "gallery": 4}, "people": {"train": 0, "query": 2, "gallery": 2}}
_TABLE = {"pictures": {"train": 2, "query": 1, "gallery": 1}, "people": {"train": 1, "query": 1, "gallery": 1}}

EXAMPLES = (
    Example("Market-1501", _market("Market-1501"), "Market-1501", "Market-1501", **_MARKET, cameras=4),
    Example("market1501", _market("market1501"), "Market-1501", "Market-1501", **_MARKET, cameras=4),
    Example("v15.09.15", _market("Market-1501-v15.09.15"), "Market-1501", "Market-1501", **_MARKET, cameras=4),
    Example(
        "market parent",
        _market("market1501/Market-1501-v15.09.15", "market1501"),
        "Market-1501",
        "Market-1501",
        **_MARKET,
        cameras=4,
    ),
    Example("any name", _market("2015-shoot"), "Market-1501", "2015-shoot", **_MARKET, cameras=4),
    Example("DukeMTMC-reID", _duke("DukeMTMC-reID"), "Market-1501", "DukeMTMC-reID", **_DUKE, cameras=4),
    Example("dukemtmcreid", _duke("dukemtmcreid"), "Market-1501", "DukeMTMC-reID", **_DUKE, cameras=4),
    Example(
        "duke parent",
        _duke("dukemtmc-reid/DukeMTMC-reID", "dukemtmc-reid"),
        "Market-1501",
        "DukeMTMC-reID",
        **_DUKE,
        cameras=4,
    ),
    Example(
        "duke two up",
        _duke("data/dukemtmc-reid/DukeMTMC-reID", "data"),
        "Market-1501",
        "DukeMTMC-reID",
        **_DUKE,
        cameras=4,
    ),
    Example(
        "Occluded_Duke", _duke("Occluded_Duke"), "Market-1501", "Occluded-DukeMTMC", **_DUKE, cameras=4, occluded=1
    ),
    Example(
        "Occluded-DukeMTMC-reID",
        _duke("Occluded-DukeMTMC-reID"),
        "Market-1501",
        "Occluded-DukeMTMC",
        **_DUKE,
        cameras=4,
        occluded=1,
    ),
    Example(
        "occluded variant", _duke("Occluded_CUHK03"), "Market-1501", "Occluded_CUHK03", **_DUKE, cameras=4, occluded=1
    ),
    Example(
        "cuhk labeled jpg", _cuhk("cuhk03-np/labeled", "jpg"), "Market-1501", "CUHK03-NP labelled", **_CUHK, cameras=2
    ),
    Example(
        "cuhk labelled png", _cuhk("CUHK03-NP/labelled", "png"), "Market-1501", "CUHK03-NP labelled", **_CUHK, cameras=2
    ),
    Example(
        "cuhk detected png", _cuhk("cuhk03-np/detected", "png"), "Market-1501", "CUHK03-NP detected", **_CUHK, cameras=2
    ),
    Example(
        "cuhk only labeled",
        _cuhk("cuhk03-np/labeled", "png", "cuhk03-np"),
        "Market-1501",
        "CUHK03-NP labelled",
        **_CUHK,
        cameras=2,
    ),
    Example("MSMT17_V1", _msmt("MSMT17_V1", "train", "test"), "MSMT17", "MSMT17", **_MSMT, cameras=5),
    Example("MSMT17_V2", _msmt("MSMT17_V2", "mask_train_v2", "mask_test_v2"), "MSMT17", "MSMT17", **_MSMT, cameras=5),
    Example(
        "msmt17 V2 capital", _msmt("msmt17", "mask_train_V2", "mask_test_V2"), "MSMT17", "MSMT17", **_MSMT, cameras=5
    ),
    Example(
        "Occluded_REID",
        _occluded_reid("Occluded_REID", flat=False),
        "Occluded-REID",
        "Occluded-REID",
        **_OCCLUDED,
        cameras=0,
        occluded=4,
    ),
    Example(
        "OccludedREID flat",
        _occluded_reid("OccludedREID", flat=True),
        "Occluded-REID",
        "Occluded-REID",
        **_OCCLUDED,
        cameras=0,
        occluded=4,
    ),
    Example(
        "folder per person",
        _people,
        "folder per identity",
        "mine",
        {"train": 9, "query": 1, "gallery": 2},
        {"train": 3, "query": 1, "gallery": 1},
        cameras=0,
    ),
    Example(
        "splits of folders",
        _people_with_splits,
        "splits with a folder per identity",
        "mine",
        {"train": 2, "query": 1, "gallery": 2},
        {"train": 2, "query": 1, "gallery": 1},
        cameras=2,
    ),
    Example(
        "one folder",
        _flat,
        "one folder",
        "crops",
        {"train": 12, "query": 2, "gallery": 2},
        {"train": 3, "query": 1, "gallery": 1},
        cameras=2,
    ),
    Example("records.csv", _table("records.csv"), "table of records", "listed", **_TABLE, cameras=2, occluded=1),
    Example(
        "records.parquet", _table("records.parquet"), "table of records", "listed", **_TABLE, cameras=2, occluded=1
    ),
    Example("a csv itself", _table("people.csv"), "table of records", "listed", **_TABLE, cameras=2, occluded=1),
    Example("walkers", _walkers, "table of records", "walkers", **_WALKERS, cameras=2, occluded=1),
)
