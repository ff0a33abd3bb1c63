"""The card of a rendered data set: what is in it, in numbers counted from its table, its licence, how to cite it."""

from pathlib import Path

import pandas as pd

from isp_assets.walkers.generate.wardrobe import KINDS

CARD_FILE, LICENCE_FILE = "README.md", "LICENSE"
LICENCE = """Walkers: images, label maps and records

To the extent possible under law, whoever rendered this data set and the authors of its generator have waived all
copyright and related or neighbouring rights to its files under the Creative Commons CC0 1.0 Universal public domain
dedication: https://creativecommons.org/publicdomain/zero/1.0/

The images were rendered from meshes, a rig, poses and morph targets of the MakeHuman project, whose authors have
dedicated them to the public domain under CC0 1.0. No person and no photograph is shown.
"""

_FOLDERS = (
    ("bounding_box_train", "train", "", "training images"),
    ("query", "query", "", "clear queries, one per test person and camera"),
    ("query_occluded", "query", "occluded", "occluded queries"),
    ("bounding_box_test", "gallery", "", "the gallery"),
)


def sizes(table: pd.DataFrame) -> str:
    """A Markdown table of the folders with their images, identities and share of occluded images."""
    lines = ["| folder | images | identities | occluded | what |", "|---|---|---|---|---|"]
    for folder, split, subset, what in _FOLDERS:
        rows = table[(table["split"] == split) & (table["subset"] == subset)]
        occluded = 100 * rows["occluded"].mean() if len(rows) else 0.0
        lines.append(f"| `{folder}` | {len(rows):,} | {rows['identity'].nunique():,} | {occluded:.0f} % | {what} |")
    return "\n".join(lines)


def statistics(table: pd.DataFrame) -> str:
    """A Markdown list: who carries what, look-alikes, occlusion, movement. `table` as `records.read_table` gives it."""
    people = table.drop_duplicates("identity")
    owners, habits = people[people["owns"] != ""], people.loc[people["owns"] != "", "habit"]
    training = set(table.loc[table["split"] == "train", "identity"])
    kinds = _counted(owners["owns"], list(KINDS))
    differs = people["differs_in"].value_counts()
    hidden = table[table["occluded"]]
    causes = _counted(hidden["occlusion"], [c for c in hidden["occlusion"].value_counts().index if c])
    seen = table.groupby("identity").agg(cameras=("camera", "nunique"), images=("path", "size"))
    carriers = int(owners["identity"].isin(training).sum())
    sentences = [
        f"{len(owners):,} of the {len(people):,} people own something to carry ({carriers:,} in training, "
        f"{len(owners) - carriers:,} in test): {kinds}. {(habits == 'keeps').sum():,} of them always have it, "
        f"{(habits == 'puts down').sum():,} put it down in some cameras, {(habits == 'changes sides').sum():,} change "
        f"sides. It is there in {100 * (table['belonging'] != '').mean():.0f} % of the images.",
        f"{int(differs.drop('', errors='ignore').sum()):,} people come in pairs: {differs.get('belonging', 0):,} "
        f"differ from their look-alike only in what they carry, {differs.get('shoes', 0):,} only in their shoes, "
        f"{differs.get('person', 0):,} wear the same clothes on another body.",
        f"{len(hidden):,} images ({100 * len(hidden) / len(table):.0f} %) are occluded ({causes}); on average "
        f"{100 * hidden['visible'].mean():.0f} % of the person shows, at least {100 * hidden['visible'].min():.0f} %.",
        f"People walk in {100 * table['walking'].mean():.0f} % of the images and stand in the others. Each is seen by "
        f"{seen['cameras'].min()} to {seen['cameras'].max()} cameras in {seen['images'].min()} to "
        f"{seen['images'].max()} images.",
    ]
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _counted(values: pd.Series, names: list[str]) -> str:
    counts = values.value_counts()
    return ", ".join(f"{name} {counts[name]:,}" for name in names if counts.get(name, 0)) or "none"


def card(table: pd.DataFrame, seed: int, train: int, test: int) -> str:
    """The whole card, in Markdown."""
    people = table["identity"].nunique()
    return f"""# Walkers {train} + {test}, seed {seed}

Rendered pedestrians for person re-identification, with exact label maps of body parts and belongings:
{len(table):,} images (128 x 256 JPEG) of {people:,} people in six cameras.

Made by `isp walkers OUT --train {train} --test {test} --seed {seed}`. The same command repeats it.

## What is in it

{sizes(table)}

Names are Market-1501's: `0001_c1s1_000151_01.jpg` is identity 1, camera 1, day 1, frame 151. For each folder,
`<name>_labels` holds palette PNGs of the same names and size. Their values are LIP's class numbers, and 20 for
belongings:

| value | class |
|---|---|
| 0 | background, other people, occluders |
| 1, 2, 13 | hat, hair, face and neck |
| 5, 14, 15 | upper clothes, left arm, right arm |
| 9, 10, 12, 16, 17 | trousers, dungarees, skirt, left leg, right leg |
| 18, 19 | left shoe, right shoe |
| 20 | bags, suitcases, boxes |

`records.csv` and `records.parquet` have one row per image: heading, garments, belongings, occluders, and the share of
each part that is visible.

```
isp data OUT
isp train --data OUT --out runs/mine --truth OUT --space walkers
```

## Statistics

{statistics(table)}

## Intended use

Training and measuring methods whose parts, belongings and visibility must be known exactly; tests and demonstrations.
It does not tell how well a method does on real people: bodies and cloth are simpler than life, six places are soon
learned by heart, and all bodies are morphs of one mesh. Skin tones and faces vary but are no sample of any population:
draw no conclusion about fairness from it.

## Licence and citation

CC0 1.0 ({LICENCE_FILE}): use it for anything. It was rendered from MakeHuman's CC0 meshes (makehumancommunity.org).
To cite it, name the software, its version and the command above:

```
@misc{{walkers,
  title = {{Walkers: rendered pedestrians with exact part labels}},
  howpublished = {{isp-reid, isp walkers --train {train} --test {test} --seed {seed}}}
}}
```
"""


def write_card(folder: Path, table: pd.DataFrame, seed: int, train: int, test: int) -> None:
    """README.md and LICENSE."""
    (folder / CARD_FILE).write_text(card(table, seed, train, test), "utf-8")
    (folder / LICENCE_FILE).write_text(LICENCE, "utf-8")
