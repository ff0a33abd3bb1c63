"""Upload: one's own pictures through a run's network. Kept in this session's memory, never logged, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from isp_app import empty
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.drawing import exports
from isp_app.drawing.encode import mask_uri, overlay, png, to_uri
from isp_app.drawing.exports import Provenance
from isp_app.reading import parse_upload, pictures, runs_access
from isp_app.reading.parse_upload import Seen
from isp_app.safety import uploads
from isp_app.safety.names import distinct, escape, plain
from isp_app.safety.uploads import FORMATS, MAX_BYTES, UploadError
from isp_app.state.controls import select
from isp_app.state.look import current_look
from isp_app.state.sidebar import Selection
from isp_core.palette import Palette
from isp_core.runs import Run, RunError

MOST = 16
SAMPLES = 6
SHOWN = (512, 256)  # height and width at which uploads are shown


@dataclass(frozen=True)
class Given:
    """A picture to parse: its name for the page, and its RGB pixels."""

    name: str
    picture: Image.Image


def show(selection: Selection) -> None:
    """The page."""
    st.title("Upload", anchor=False)
    networks = _networks(selection)
    if not networks:
        if empty.run_or_reason(selection) is not None:
            command = empty.train_command(selection.settings)
            empty.say("No run here has weights, so images cannot be parsed. Train one:", command)
        return
    st.caption(
        "Pictures stay in this session's memory on this machine: they are not stored, logged or sent anywhere. "
        "Upload pictures of people only where you may."
    )
    wanted = select("Network", list(networks), "ckpt", help="Runs and epochs whose weights are stored")
    run, epoch = networks[wanted]
    given = _given(selection, run)
    if not given:
        return
    crops = [_crop(item, i) for i, item in enumerate(given)] if _by_hand(given) else given
    seen = [parse_upload.see(run, epoch, item.picture) for item in crops]
    palette = runs_access.palette(run)
    source = exports.provenance(run, epoch, "upload")
    _parts(run, palette, crops, seen)
    names = [item.name for item in crops]
    which = 0
    if len(crops) > 1:
        which = int(
            st.radio("Picture", range(len(names)), format_func=lambda i: plain(names[i]), horizontal=True, key="which")
            or 0
        )
    _details(run, palette, seen[which])
    _downloads(run, palette, crops[which], seen[which], source)
    _nearest(selection, run, epoch, seen[which])


def _networks(selection: Selection) -> dict[str, tuple[Run, int]]:
    """Runs and epochs that have weights: the sidebar's run first, its last epoch first."""
    found: dict[str, tuple[Run, int]] = {}
    for item, run in selection.open_others():
        try:
            for epoch in run.weight_epochs()[::-1]:
                found[f"{item.id} epoch {epoch}"] = (run, epoch)
        except RunError:
            continue
    return found


def _given(selection: Selection, run: Run) -> list[Given]:
    state = st.session_state
    state.setdefault("upload-round", 0)
    key = f"uploads-{state['upload-round']}"
    files = st.file_uploader(
        "Pictures",
        type=["png", "jpg", "jpeg", "webp"],
        accept_multiple_files=True,
        key=key,
        help=f"{', '.join(FORMATS)}; at most {MAX_BYTES // 2**20} MB each; the first {MOST} are parsed",
    )
    shot = None
    with st.container(horizontal=True):
        if st.toggle("Camera", key="camera"):
            shot = st.camera_input("Take a picture", key=f"shot-{state['upload-round']}")
        sample = _sample(selection, run)
        if st.button("Clear everything", help="Forgets the uploads of this session"):
            state["upload-round"] += 1
            parse_upload.forget()
            _shown.clear()
            uploads.forget()
            st.rerun()
    given: list[Given] = []
    offered = [*(files or []), *([shot] if shot is not None else [])]
    for file in offered[:MOST]:
        try:
            given.append(Given(file.name, uploads.open_upload(file)))
        except UploadError as error:
            st.warning(plain(error))
    if len(offered) > MOST:
        st.info(f"{len(offered)} pictures were uploaded; the first {MOST} are parsed.")
    unlike = distinct([item.name.replace("/", "_") for item in given])
    return [Given(name, item.picture) for name, item in zip(unlike, given, strict=True)] or sample


def _sample(selection: Selection, run: Run) -> list[Given]:
    """Test pictures of the run's own data, where they are here and nothing was uploaded."""
    root = pictures.picture_root(run, selection.settings)
    table = runs_access.records(run, "query")
    if root is None or table.empty or not st.toggle("Sample pictures", value=True, key="sample", bind="query-params"):
        return []
    rows = np.linspace(0, len(table) - 1, min(SAMPLES, len(table))).astype(int)
    given = []
    for row in rows:
        pixels = pictures.read(root, str(table["path"].iloc[row]), SHOWN[1], SHOWN[0])
        if pixels is not None:
            given.append(Given(Path(str(table["path"].iloc[row])).name, Image.fromarray(pixels)))
    return given


def _by_hand(given: list[Given]) -> bool:
    wide = [item.name for item in given if item.picture.width > 0.8 * item.picture.height]
    if wide:
        st.info(f"{len(wide)} of {len(given)} pictures are wide: crop them to one person, as training saw them.")
    return bool(st.toggle("Crop by hand", value=bool(wide), key=f"crop-{len(wide)}-{len(given)}"))


def _crop(item: Given, i: int) -> Given:
    """Sliders for the four sides, in percent of the picture."""
    with st.expander(f"Crop {plain(item.name)}", expanded=i == 0):
        left, right = st.columns([1, 2])
        with right:
            across = st.slider("Left and right, %", 0, 100, (0, 100), key=f"x-{i}-{item.name}")
            down = st.slider("Top and bottom, %", 0, 100, (0, 100), key=f"y-{i}-{item.name}")
        w, h = item.picture.size
        x0, x1, y0, y1 = (round(s * v / 100) for s, v in ((w, across[0]), (w, across[1]), (h, down[0]), (h, down[1])))
        if x1 - x0 < 8 or y1 - y0 < 8:
            right.info("The crop is too small; the whole picture is taken.")
            return item
        cropped = item.picture.crop((x0, y0, x1, y1))
        small = cropped.copy()
        small.thumbnail((160, 320))
        left.image(np.asarray(small), alt=f"Crop of {item.name}")
    return Given(item.name, cropped)


@st.cache_data(max_entries=48, max_size="32mb", show_spinner=False, scope="session")
def _shown(pixels: bytes, width: int, height: int) -> str:
    """An upload as the viewer shows it; encoded once, kept in this session alone."""
    picture = Image.frombytes("RGB", (width, height), pixels).resize(SHOWN[::-1], Image.Resampling.BILINEAR)
    return to_uri(png(np.asarray(picture)), "image/png")


def _uri(item: Given) -> str:
    return _shown(item.picture.tobytes(), item.picture.width, item.picture.height)


def _parts(run: Run, palette: Palette, given: list[Given], seen: list[Seen]) -> None:
    if not run.info.parts:
        st.info(f"{plain(run.name)} is a baseline without parts: it finds near pictures, but no parts.")
        return
    panels = []
    for item, what in zip(given, seen, strict=True):
        visible = int(np.asarray(what.vectors.visibility)[0].sum())
        panels.append(
            Panel(
                item.name,
                f"Parts found in {item.name}",
                mask_uri(palette.coded(what.labels)),
                _uri(item),
                pictures.aspect(run),
                f"{visible} of {run.info.parts - 1} parts visible",
            )
        )
    mask_viewer(panels, palette, title="Parts of the uploaded pictures", key="upload", look=current_look())


def _details(run: Run, palette: Palette, seen: Seen) -> None:
    if not run.info.parts:
        return
    visible = np.asarray(seen.vectors.visibility)[0]
    share = np.asarray(seen.vectors.part_share)[0]
    chips = []
    for part in palette.parts:
        k = part.index - 1
        r, g, b = part.rgb
        mark = "✓" if visible[k] else "–"
        style = "solid" if visible[k] else "dashed"
        chips.append(
            f"<span style='border:2px {style} rgb({r},{g},{b});border-radius:1em;padding:.1em .7em'>"
            f"{mark} {escape(part.name)}: l<sub>{part.index}</sub> = {int(visible[k])}, {100 * share[k]:.1f} %</span>"
        )
    st.html("<div style='display:flex;flex-wrap:wrap;gap:.5rem'>" + "".join(chips) + "</div>")
    st.caption(f"Visible parts, l_k, by {plain(seen.rule)}.")
    k_likely, why = parse_upload.likely_belonging(run)
    if k_likely is not None:
        state = "visible here" if visible[k_likely - 1] else "not visible here"
        st.caption(f"Most likely a belonging: {plain(palette.name(k_likely))} ({state}). Rule: {plain(why)}.")
    else:
        st.caption(f"Belongings: {plain(why)}.")


def _downloads(run: Run, palette: Palette, item: Given, seen: Seen, source: Provenance) -> None:
    visible, share = (np.asarray(a)[0] for a in (seen.vectors.visibility, seen.vectors.part_share))
    with st.container(horizontal=True):
        if run.info.parts:
            st.download_button(
                "Mask (PNG)",
                lambda: exports.picture(seen.labels, source, "label map: grey value = part"),
                "mask.png",
                "image/png",
                on_click="ignore",
            )
            st.download_button(
                "Overlay (PNG)",
                lambda: exports.picture(
                    overlay(np.asarray(item.picture), seen.labels, palette.table(), 0.55, item.picture.size[::-1]),
                    source,
                    "parts over the picture",
                ),
                "overlay.png",
                "image/png",
                on_click="ignore",
            )
        st.download_button(
            "Numbers (JSON)",
            lambda: exports.document(
                {
                    "parts": [
                        {
                            "part": p.index,
                            "name": p.name,
                            "visible": bool(visible[p.index - 1]),
                            "share": float(share[p.index - 1]),
                        }
                        for p in palette.parts
                    ],
                    "likely_belonging": dict(zip(("part", "rule"), parse_upload.likely_belonging(run), strict=True)),
                    "map_size": list(seen.labels.shape),
                },
                source,
                palette.rule,
            ),
            "parts.json",
            "application/json",
            on_click="ignore",
        )


def _nearest(selection: Selection, run: Run, epoch: int, seen: Seen) -> None:
    st.subheader("Nearest people in the gallery", anchor=False)
    if epoch not in run.embedding_epochs():
        empty.say(
            f"{plain(run.name)} has no gallery embeddings at epoch {epoch}. Make them:",
            f"isp extract --run {empty.argument(run.path)} --epoch {epoch} --data DATA",
        )
        return
    people = parse_upload.nearest_people(run, epoch, seen)
    records = runs_access.records(run, "gallery")
    root = pictures.picture_root(run, selection.settings)
    stored = [e for e in run.label_epochs("test") if e <= epoch] if run.info.parts else []
    palette = runs_access.palette(run)
    sprite = pictures.tiles(
        run, root, "gallery", [one.row for one in people], palette, epoch=stored[-1] if stored else None
    )
    tiles = []
    for i, one in enumerate(people, start=1):
        record = records.iloc[one.row]
        who = f"person {record['identity']}" if record["identity"] > 0 else "distractor"
        words = f"rank {i}, distance {one.distance:.3f}: {pictures.describe(record)}, nearest of {one.pictures}"
        tiles.append(Tile(one.row, "none", f"{i} · {one.distance:.3f}", words, who))
    ranking_grid(tiles, sprite, palette, title="Nearest people in the gallery", key="nearest")
    st.caption(
        "One picture a person, the nearest by Eq. 10 among candidates from an index of global and foreground features. "
        "Somebody is always nearest, also when the person is not in the gallery: a rank is not an identification."
    )
    if root is None:
        empty.no_pictures()
