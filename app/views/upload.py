"""Upload: your own images under one or several networks. Kept in this session's memory, never logged, never stored."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import streamlit as st

from isp_app import empty, explain
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.drawing import exports, upload_files
from isp_app.drawing.encode import mask_uri
from isp_app.drawing.upload_files import Parsed
from isp_app.reading import parse_upload, people, pictures, runs_access
from isp_app.reading.parse_upload import Network, Seen
from isp_app.safety.names import escape, plain
from isp_app.state.controls import all_found, by_hand
from isp_app.state.given import Given
from isp_app.state.look import current_look
from isp_app.state.sidebar import Selection
from isp_app.views import upload_images, upload_store
from isp_core.errors import IspError
from isp_core.palette import alike, union
from isp_core.runs import RunError

MOST_NETWORKS = 6
PANEL = 95  # CSS pixels of a panel's width at least: whole people are in sight on a laptop


def show(selection: Selection) -> None:
    """The page."""
    head = st.container(horizontal=True, vertical_alignment="bottom")
    head.title("Upload", anchor=False, width="content")
    everything, without = _networks(selection)
    if not everything:
        if empty.run_or_reason(selection) is not None:
            command = empty.train_command(selection.settings)
            empty.say("No run here has weights, so images cannot be parsed. Train one:", command)
        return
    head.caption(
        "Images stay in this session's memory on this machine: they are not stored, logged or sent anywhere. "
        "Upload images of people only if you have the right to."
    )
    left, right = st.columns(2)
    with left:
        networks = _choose(everything, without)
    if not networks:
        return
    images, which = upload_images.choose(selection, networks[0].run, right)
    if not images:
        return
    if len(networks) == 1:
        _all_images(networks[0], images)
    else:
        _all_networks(networks, images[which])
    network = networks[0]
    if len(networks) > 1:
        names = {one.name: one for one in networks}
        picked = st.segmented_control(
            "Details of", list(names), default=networks[0].name, key="details", required=True, format_func=plain
        )
        network = names.get(str(picked), networks[0])
    item = images[which]
    seen = network.see(item.cropped)
    st.subheader(plain(item.name), anchor=False)  # all below is of this image
    _details(network, seen)
    _downloads(network, networks, images, which, seen)
    _nearest(selection, network, seen, item.name)
    upload_store.show(selection.settings, network, seen, item.name)


def _networks(selection: Selection) -> tuple[dict[str, Network], list[str]]:
    """Runs and epochs that have weights or exports, the sidebar's run first, its last epoch first; the runs that have
    neither."""
    found: dict[str, Network] = {}
    without: list[str] = []
    for item, run in selection.open_others():
        own: dict[str, Network] = {}
        with suppress(RunError):
            own = {network.name: network for network in parse_upload.networks_of(item.id, run)}
        found |= own
        if not own:
            without.append(item.id)
    return found, without


def _choose(everything: dict[str, Network], without: list[str]) -> list[Network]:
    """One network, or several to compare on the same image; what each was trained on. Those that cannot be opened are
    left out, with the reason. without: runs that have no network."""
    names = list(everything)
    all_found("ckpt", names, "Network")
    wanted = st.multiselect(
        "Networks",
        names,
        key="ckpt",
        bind="query-params",
        persist_state="session",
        on_change=by_hand,
        args=("ckpt",),
        max_selections=MOST_NETWORKS,
        placeholder=f"default: {names[0]}",
        help="Runs and epochs whose weights are stored, and their ONNX files (`isp export`). Choose several to compare "
        "them on the same image.",
    )
    networks = []
    for network in [everything[name] for name in wanted or names[:1]]:
        try:
            network.require()
        except IspError as error:
            st.warning(f"{plain(network.name)} cannot be opened.")
            st.text(empty.short(error))
            continue
        networks.append(network)
        default = "" if wanted else "Default network, "
        st.caption(f"{default}{plain(network.name)}: {plain(network.trained_on())}")
    if without:
        many = len(without) > 1
        st.caption(
            f"{len(without)} run{'s have' if many else ' has'} no stored weights and cannot parse new images.",
            help=plain(", ".join(without)),
        )
    return networks


def _all_images(network: Network, images: list[Given]) -> None:
    if not network.run.info.parts:
        _no_parts(network)
        return
    palette = runs_access.palette(network.run)
    panels = []
    for item in images:
        seen = network.see(item.cropped)
        panels.append(
            Panel(
                item.name,
                f"Parts found in {item.name}",
                mask_uri(palette.coded(seen.labels)),
                upload_images.encoded(item.cropped),
                pictures.aspect(network.run),
                _visible(network, seen),
            )
        )
    mask_viewer(panels, palette, title="Parts of your images", key="upload", look=current_look(), width=PANEL)


def _all_networks(networks: list[Network], item: Given) -> None:
    """The same image under every network, side by side."""
    with_parts = [network for network in networks if network.run.info.parts]
    for network in networks:
        if not network.run.info.parts:
            _no_parts(network)
    if not with_parts:
        return
    image = upload_images.encoded(item.cropped)
    ratio = pictures.aspect(with_parts[0].run)
    panels = [Panel("input", f"Input, {item.name}", None, image, ratio)]
    palettes = alike([runs_access.palette(network.run) for network in with_parts])
    for network, palette in zip(with_parts, palettes, strict=True):
        seen = network.see(item.cropped)
        alt, words = f"Parts of {item.name} by {network.name}", _visible(network, seen)
        panels.append(
            Panel(network.name, alt, mask_uri(palette.coded(seen.labels)), image, pictures.aspect(network.run), words)
        )
    mask_viewer(
        panels, union(palettes), title=f"{item.name} under several networks", key="networks", look=current_look()
    )


def _no_parts(network: Network) -> None:
    st.info(f"{plain(network.name)} is a baseline without parts: it finds similar images, but no parts.")


def _visible(network: Network, seen: Seen) -> str:
    return f"{int(np.asarray(seen.vectors.visibility)[0].sum())} of {network.run.info.parts - 1} parts visible"


def _details(network: Network, seen: Seen) -> None:
    if not network.run.info.parts:
        return
    palette = runs_access.palette(network.run)
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
    explain.visibility(network.run, network.epoch, {"this image": seen.vectors}, "upload", seen.rule)
    if not visible.any():
        st.info("No part of a person was found in this image.")
        return
    likely, why = parse_upload.likely_belonging(network.run)
    if likely is not None:
        state = "visible here" if visible[likely - 1] else "not visible here"
        st.caption(f"Most likely a belonging: {plain(palette.name(likely))} ({state}). Rule: {plain(why)}.")
    else:
        st.caption(f"Belongings: {plain(why)}.")


def _parsed(network: Network, item: Given, seen: Seen) -> Parsed:
    run = network.run
    source = exports.provenance(run, network.epoch, "upload")
    belonging = parse_upload.likely_belonging(run) if run.info.parts else (None, "a network without parts")
    return Parsed(item, seen.labels, seen.vectors, runs_access.palette(run), source, seen.rule, belonging)


def _downloads(network: Network, networks: list[Network], images: list[Given], which: int, seen: Seen) -> None:
    one = _parsed(network, images[which], seen)
    with st.container(horizontal=True):
        if network.run.info.parts:
            st.download_button("Mask (PNG)", one.mask, f"{one.stem}_mask.png", "image/png", on_click="ignore")
            st.download_button("Overlay (PNG)", one.overlay, f"{one.stem}_overlay.png", "image/png", on_click="ignore")
        st.download_button("Results (JSON)", one.results, f"{one.stem}.json", "application/json", on_click="ignore")
        st.download_button(
            f"Everything (ZIP): {len(images)} × {len(networks)}",
            lambda: upload_files.archive(
                _parsed(each, item, each.read(item.cropped)) for item in images for each in networks
            ),
            "isp_parts.zip",
            "application/zip",
            on_click="ignore",
            help="Mask, overlay and results of all images under all chosen networks",
        )


def _nearest(selection: Selection, network: Network, seen: Seen, name: str) -> None:
    run, epoch = network.run, network.epoch
    st.subheader("Nearest people in the gallery", anchor=False)
    st.caption(f"To {plain(name)}, by {plain(network.name)}")
    if epoch not in run.embedding_epochs():
        empty.say(
            f"{plain(run.name)} has no gallery embeddings at epoch {epoch}. Make them:",
            f"isp extract --run {empty.argument(run.path)} --epoch {epoch} --data DATA",
        )
        return
    nearest = parse_upload.nearest_people(run, epoch, seen)
    records = runs_access.records(run, "gallery")
    root = pictures.picture_root(run, selection.settings)
    stored = [e for e in run.label_epochs("test") if e <= epoch] if run.info.parts else []
    palette = runs_access.palette(run)
    sprite = pictures.tiles(
        run, root, "gallery", [one.row for one in nearest], palette, epoch=stored[-1] if stored else None
    )
    tiles = []
    for i, one in enumerate(nearest, start=1):
        record = records.iloc[one.row]
        who = people.who(record) if record["identity"] > 0 else "distractor"
        words = f"rank {i}, distance {one.distance:.3f}: {pictures.describe(record)}, nearest of {one.pictures}"
        tiles.append(Tile(one.row, "none", f"{i} · {one.distance:.3f}", words, who))
    ranking_grid(tiles, sprite, palette, title="Nearest people in the gallery", key="nearest")
    how = "by the global feature, the only one of a network without parts. "
    if run.info.parts:
        how = "by Eq. 10 among candidates from an index of global and foreground features. "
    st.caption(
        f"One image per person, the nearest {how}"
        "Someone is always nearest, even when the person is not in the gallery: a rank is not an identification."
    )
    if root is None:
        empty.no_pictures(run, selection.settings)
