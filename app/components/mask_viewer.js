// Pictures with their label maps, side by side under one zoom, one cursor and one legend. The server hears of the look alone,
// for the address.

export default function ({ parentElement: root, data, setStateValue, setTriggerValue }) {
  const box = root.querySelector(".isp");
  const state = (root.ispState ??= { look: recall(data.look), view: { ...WHOLE }, layers: [], at: null, serial: 0 });
  const { look, view } = state;
  const serial = ++state.serial;
  state.stop?.();
  const colours = new Map(data.parts.map((part) => [part.k, part.rgb]));
  const names = namesOf(data.parts);
  const find = (selector) => box.querySelector(selector);
  const grid = find(".grid"), readout = find(".readout");

  const retint = (layer) => {
    if (!layer.labels) return;
    layer.tinted = tint(layer.labels, layer.w, layer.h, colourWords(colours, look.hidden));
    Object.assign(layer, outlined(layer.labels, layer.w, layer.h, look.hidden, names));
  };
  const draw = () => {
    for (const layer of state.layers) {
      if (!layer.ready) continue;
      const context = screen(layer.canvas, layer.cssWidth, layer.cssHeight);
      paint(context, layer.cssWidth, layer.cssHeight, layer, look, view);
      if (state.at) crosshair(context, state.at, view, layer.cssWidth, layer.cssHeight);
    }
    find(".zoom").textContent = zoom.words();
    box.dataset.hidden = [...look.hidden].sort().join(".");
  };
  const zoom = lens(view, draw);
  const controls = lookControls(find, data.parts, look, draw, () => { state.layers.forEach(retint); draw(); }, setStateValue);
  state.stop = controls.stop;

  const DOUBLE = 300;  // milliseconds in which a second click makes it a double one
  const column = (layer) => Math.min(layer.w - 1, Math.max(0, Math.floor(state.at.x * layer.w)));
  const row = (layer) => Math.min(layer.h - 1, Math.max(0, Math.floor(state.at.y * layer.h)));
  const read = () => {
    for (const layer of state.layers) {
      if (!state.at || !layer.labels) { layer.note.textContent = layer.item.note ?? ""; continue; }
      const part = layer.labels[row(layer) * layer.w + column(layer)];
      layer.note.textContent = names.get(part) ?? `part ${part}`;
    }
    const first = state.layers.find((layer) => layer.labels);
    readout.textContent = state.at && first
      ? `column ${column(first)}, row ${row(first)} of the ${first.w} × ${first.h} map`
      : "Point at a pixel to read its part.";
  };

  /** A single click that is neither a drag nor the first of two, which zoom. */
  const onClick = (canvas, act) => {
    let from = null, later = null;
    canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; });
    canvas.addEventListener("dblclick", () => clearTimeout(later));
    canvas.addEventListener("click", (event) => {
      clearTimeout(later);
      const still = from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 5;
      if (still && event.detail === 1) later = setTimeout(act, DOUBLE);
    });
  };
  const mount = (item) => {
    const canvas = el("canvas", { role: "img", "aria-label": item.alt });
    const note = el("span", { className: "note quiet" });
    const title = item.id === null
      ? el("b", {}, item.title)
      : el("button", { type: "button", className: "open", "aria-label": `Choose ${item.alt}`, onclick: () => setTriggerValue("open", item.id) }, item.title);
    const figure = el("figure", {}, canvas, el("figcaption", {}, title, note));
    zoom.watch(box, canvas, (at) => { state.at = at; read(); draw(); });
    if (item.id !== null) onClick(canvas, () => setTriggerValue("click", item.id));
    return { item, canvas, note, figure, ready: false, labels: null, image: null };
  };
  const load = async (layer) => {
    const { item } = layer;
    if (item.mask) {
      const sheet = await pixels(item.mask);
      Object.assign(layer, { w: sheet.w, h: sheet.h, labels: cut(sheet, 0, 0, sheet.w, sheet.h) });
    }
    if (item.image) layer.image = await picture(item.image);
    if (state.serial !== serial) return;
    retint(layer);
    layer.ready = true;
  };

  /** Panels fill the width in rows of equal length: none wraps alone. data.width is what they are at least, if it fits. */
  const GAP = 12, SMALLER = 0.72, LARGER = 1.6;
  const layout = () => {
    const across = grid.clientWidth, count = state.layers.length;
    if (!across || !count) return;
    const most = Math.max(1, Math.floor((across + GAP) / (SMALLER * data.width + GAP)));
    const columns = Math.ceil(count / Math.ceil(count / most));
    const width = Math.floor(Math.min(LARGER * data.width, (across + GAP) / columns - GAP));
    grid.style.setProperty("--w", `${width}px`);
    grid.style.setProperty("--columns", columns);
    for (const layer of state.layers) {
      layer.cssWidth = width;
      layer.cssHeight = Math.round(width * layer.item.aspect);
    }
  };
  state.sized?.disconnect();
  state.sized = new ResizeObserver(() => {
    const before = state.layers[0]?.cssWidth;
    layout();
    if (state.layers[0]?.cssWidth !== before) draw();
  });
  state.layers = data.items.map(mount);
  Promise.all(state.layers.map(load)).then(() => {
    if (state.serial !== serial) return;
    grid.replaceChildren(...state.layers.map((layer) => layer.figure));
    layout();
    state.sized.observe(grid);
    state.at = null;
    draw();
    read();
    box.dataset.ready = "1";
  });

  find(".keys").textContent = `Keys: ${data.hint}`;
  find(".in").onclick = () => zoom.by(1.5);
  find(".out").onclick = () => zoom.by(1 / 1.5);
  find(".fit").onclick = zoom.reset;
  box.setAttribute("aria-label", `${data.title}. Keys: ${data.hint}`);
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const slider = event.composedPath()[0].type === "range";
    const way = slider ? undefined : ARROWS[event.key], map = state.layers.find((layer) => layer.labels);
    const to = way && map ? stepped(event, state.at, map.w, map.h) : null;
    let used = true;
    if (to) { state.at = to; read(); draw(); }
    else if (way && view.zoom > 1) zoom.pan(way[0] / 10, way[1] / 10);
    else used = controls.key(event) || zoom.key(event);
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };
  return () => { controls.stop(); state.sized.disconnect(); };
}
