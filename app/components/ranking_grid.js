// A grid of pictures from one sprite, their part maps drawn over them: rankings, people, filtered lists. One tab stop; arrows
// move; Enter opens. Whether part maps are shown is kept in the tab, like their look.

const MASKS_KEY = "isp-masks";

export default function ({ parentElement: root, data, setStateValue, setTriggerValue }) {
  const whole = root.querySelector(".isp"), box = root.querySelector(".tiles"), { tiles, sprite } = data;
  const state = (root.ispState ??= {
    look: recall(data.look), active: 0, serial: 0,
    masks: sprite.alone || sessionStorage.getItem(MASKS_KEY) === "1",
  });
  const { look } = state;
  const serial = ++state.serial;
  state.stop?.();
  const find = (selector) => root.querySelector(selector);
  const { width: W, height: H } = sprite;
  const colours = new Map(data.parts.map((part) => [part.k, part.rgb]));
  const names = namesOf(data.parts);
  let layers = null;  // label maps, decoded when they are first shown

  root.querySelector("style.sheet")?.remove();
  const style = el("style", { className: "sheet" });
  const background = sprite.url ? `background-image:url(${sprite.url});` : "background-color:#2b2b2b;";
  style.textContent = `.tile i{${background}width:${W}px;height:${H}px}`;
  root.append(style);
  box.style.gridTemplateColumns = `repeat(auto-fill, ${W + 8}px)`;
  box.setAttribute("aria-label", data.title + (sprite.labels ? ". Keys: arrows move, Enter opens, M part maps" : ""));
  state.active = Math.min(state.active, Math.max(0, tiles.length - 1));

  const MARKS = { match: "✓", wrong: "✗", none: "", query: "?" };
  box.replaceChildren(...tiles.map((tile, i) => {
    const frame = el("i", { "aria-hidden": "true" });
    frame.style.backgroundPosition = `-${(i % sprite.columns) * W}px -${Math.floor(i / sprite.columns) * H}px`;
    const button = el("button", {
      type: "button", className: `tile ${tile.mark}`, "data-i": i, tabindex: i === state.active ? 0 : -1,
      "aria-label": tile.alt, title: tile.alt,
    }, frame, el("span", {}, `${MARKS[tile.mark] ?? ""} ${tile.text}`.trim()));
    if (tile.more) button.append(el("span", { className: "more" }, tile.more));
    if (tile.id === data.selected) button.setAttribute("aria-current", "true");
    return button;
  }));

  const retint = () => {
    const words = colourWords(colours, look.hidden);
    for (const layer of layers ?? []) {
      layer.tinted = tint(layer.labels, layer.w, layer.h, words);
      Object.assign(layer, outlined(layer.labels, layer.w, layer.h, look.hidden, names));
    }
  };
  const draw = () => {
    box.classList.toggle("masks", state.masks);
    box.dataset.hidden = [...look.hidden].sort().join(".");
    for (const part of root.querySelectorAll(".looks")) part.hidden = !state.masks || !sprite.labels;
    toggle.setAttribute("aria-pressed", String(state.masks));
    (layers ?? []).forEach((layer) => {
      layer.canvas.hidden = !state.masks;
      if (state.masks) paint(screen(layer.canvas, W, H), W, H, layer, sprite.alone ? { ...look, opacity: 100 } : look, WHOLE);
    });
  };
  const load = async () => {
    if (!state.masks || !sprite.labels || layers) { draw(); return; }
    const sheet = await pixels(sprite.labels);
    if (state.serial !== serial) return;
    const { label_w: w, label_h: h, label_columns: columns } = sprite;
    layers = tiles.map((_, i) => {
      const canvas = el("canvas", { "aria-hidden": "true" });
      box.children[i].querySelector("i").append(canvas);
      const labels = cut(sheet, (i % columns) * w, Math.floor(i / columns) * h, w, h);
      canvas.onpointermove = (event) => {
        const area = canvas.getBoundingClientRect();
        const x = Math.min(w - 1, Math.max(0, Math.floor(((event.clientX - area.left) / area.width) * w)));
        const y = Math.min(h - 1, Math.max(0, Math.floor(((event.clientY - area.top) / area.height) * h)));
        const part = labels[y * w + x];
        find(".readout").textContent =
          `${tiles[i].text}: column ${x}, row ${y} of the ${w} × ${h} map: ${names.get(part) ?? `part ${part}`}`;
      };
      canvas.onpointerleave = () => { find(".readout").textContent = ""; };
      return { canvas, labels, w, h, over: true };
    });
    retint();
    draw();
    box.dataset.masks = "1";
  };
  const toggle = find(".masks-toggle");
  toggle.hidden = !sprite.labels || sprite.alone;
  toggle.onclick = () => {
    state.masks = !state.masks;
    sessionStorage.setItem(MASKS_KEY, state.masks ? "1" : "0");
    load();
  };
  const controls = lookControls(find, data.parts, look, draw, () => { retint(); draw(); }, setStateValue);
  state.stop = controls.stop;

  const focus = (i) => {
    const next = box.children[i];
    if (!next) return;
    box.children[state.active].tabIndex = -1;
    next.tabIndex = 0;
    state.active = i;
    next.focus();
  };
  const columns = () => {
    const top = box.children[0]?.offsetTop;
    let n = 0;
    while (n < box.children.length && box.children[n].offsetTop === top) n++;
    return Math.max(1, n);
  };
  box.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    state.active = +button.dataset.i;
    setTriggerValue("open", tiles[state.active].id);
  };
  whole.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.composedPath()[0].type === "range") return;
    const i = state.active, step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    let used = true;
    if (step) focus(i + step);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(tiles.length - 1);
    else if (event.key === "m" && !toggle.hidden) toggle.click();
    else used = state.masks && sprite.labels !== null && controls.key(event);
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };
  load();
  box.dataset.ready = "1";
  return () => { controls.stop(); };
}
