// Pictures with their label maps, side by side under one zoom, one cursor and one legend. The server hears of the look alone,
// for the address.

export default function ({ parentElement: root, data, setStateValue }) {
  const box = root.querySelector(".isp");
  const state = (root.ispState ??= { look: recall(data.look), view: { zoom: 1, x: 0.5, y: 0.5 }, layers: [], at: null, serial: 0 });
  const { look, view } = state;
  const serial = ++state.serial;
  const colours = new Map(data.parts.map((part) => [part.k, part.rgb]));
  const names = new Map([[0, "background"], [IGNORE, "ignored"], ...data.parts.map((part) => [part.k, part.name])]);
  const find = (selector) => box.querySelector(selector);
  const opacity = find(".opacity"), outline = find(".outline"), grid = find(".grid"), readout = find(".readout");
  const numbers = data.parts.map((part) => part.k);

  const retint = (layer) => {
    if (!layer.labels) return;
    layer.tinted = tint(layer.labels, layer.w, layer.h, colours, look.hidden);
    layer.path = borders(layer.labels, layer.w, layer.h, look.hidden);
  };
  const draw = () => {
    for (const layer of state.layers) {
      if (!layer.ready) continue;
      const context = screen(layer.canvas, layer.cssWidth, layer.cssHeight);
      paint(context, layer.cssWidth, layer.cssHeight, layer, look, view);
      if (state.at) cross(context, layer);
    }
    opacity.value = look.opacity;
    outline.setAttribute("aria-pressed", String(look.outline));
    find(".zoom").textContent = `${view.zoom.toFixed(view.zoom < 10 ? 1 : 0)}×`;
    box.dataset.hidden = [...look.hidden].sort().join(".");
  };
  const cross = (context, layer) => {
    const x = ((state.at.x - view.x) * view.zoom + 0.5) * layer.cssWidth;
    const y = ((state.at.y - view.y) * view.zoom + 0.5) * layer.cssHeight;
    for (const [colour, width] of [["#000", 3], ["#fff", 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x - 7, y); context.lineTo(x + 7, y);
      context.moveTo(x, y - 7); context.lineTo(x, y + 7);
      context.stroke();
    }
  };
  const changed = () => { state.layers.forEach(retint); draw(); remember(look, setStateValue); };
  const keys = legend(find(".legend"), data.parts, look, changed);

  const clamp = () => {
    view.zoom = Math.min(16, Math.max(1, view.zoom));
    const half = 0.5 / view.zoom;
    view.x = Math.min(1 - half, Math.max(half, view.x));
    view.y = Math.min(1 - half, Math.max(half, view.y));
  };
  const zoomBy = (factor, at = { x: view.x, y: view.y }) => {
    const before = view.zoom;
    view.zoom *= factor;
    view.zoom = Math.min(16, Math.max(1, view.zoom));
    const pull = 1 - before / view.zoom;
    view.x += (at.x - view.x) * pull;
    view.y += (at.y - view.y) * pull;
    clamp();
    draw();
  };
  const pan = (dx, dy) => { view.x += dx / view.zoom; view.y += dy / view.zoom; clamp(); draw(); };
  const reset = () => { Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 }); draw(); };

  const read = () => {
    for (const layer of state.layers) {
      if (!layer.note) continue;
      if (!state.at || !layer.labels) { layer.note.textContent = layer.item.note ?? ""; continue; }
      const part = layer.labels[row(layer) * layer.w + column(layer)];
      layer.note.textContent = `${names.get(part) ?? `part ${part}`}`;
    }
    const first = state.layers.find((layer) => layer.labels);
    readout.textContent = state.at && first
      ? `column ${column(first)}, row ${row(first)} of the ${first.w} × ${first.h} map`
      : data.hint;
  };
  const column = (layer) => Math.min(layer.w - 1, Math.max(0, Math.floor(state.at.x * layer.w)));
  const row = (layer) => Math.min(layer.h - 1, Math.max(0, Math.floor(state.at.y * layer.h)));
  const where = (event, layer) => {
    const area = layer.canvas.getBoundingClientRect();
    return {
      x: view.x + ((event.clientX - area.left) / area.width - 0.5) / view.zoom,
      y: view.y + ((event.clientY - area.top) / area.height - 0.5) / view.zoom,
    };
  };

  const mount = (item) => {
    const canvas = el("canvas", { role: "img", "aria-label": item.alt });
    const note = el("span", { className: "note quiet" });
    const figure = el("figure", {}, canvas, el("figcaption", {}, el("b", {}, item.title), note));
    const layer = { item, canvas, note, figure, ready: false, labels: null, image: null };
    let drag = null;
    canvas.onpointerdown = (event) => { drag = { x: event.clientX, y: event.clientY }; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointerup = () => { drag = null; };
    canvas.onpointermove = (event) => {
      if (drag && view.zoom > 1) {
        pan((drag.x - event.clientX) / layer.cssWidth, (drag.y - event.clientY) / layer.cssHeight);
        drag = { x: event.clientX, y: event.clientY };
      }
      state.at = where(event, layer);
      read();
      draw();
    };
    canvas.onpointerleave = () => { if (!drag) { state.at = null; read(); draw(); } };
    canvas.ondblclick = (event) => zoomBy(event.shiftKey ? 0.5 : 2, where(event, layer));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !box.matches(":focus-within")) return;  // the page scrolls unless the viewer is in use
      event.preventDefault();
      zoomBy(event.deltaY < 0 ? 1.25 : 0.8, where(event, layer));
    }, { passive: false });
    return layer;
  };
  const load = async (layer) => {
    const { item } = layer;
    if (item.mask) {
      const sheet = await pixels(item.mask);
      Object.assign(layer, { w: sheet.w, h: sheet.h, labels: cut(sheet, 0, 0, sheet.w, sheet.h) });
    }
    if (item.image) layer.image = await picture(item.image);
    if (state.serial !== serial) return;
    layer.cssWidth = data.width;
    layer.cssHeight = Math.round(data.width * item.aspect);
    retint(layer);
    layer.ready = true;
  };

  grid.style.setProperty("--w", `${data.width}px`);
  state.layers = data.items.map(mount);
  Promise.all(state.layers.map(load)).then(() => {
    if (state.serial !== serial) return;
    grid.replaceChildren(...state.layers.map((layer) => layer.figure));
    state.at = null;
    draw();
    read();
    box.dataset.ready = "1";
  });

  opacity.oninput = () => { look.opacity = +opacity.value; draw(); remember(look, setStateValue); };
  outline.onclick = () => { look.outline = !look.outline; draw(); remember(look, setStateValue); };
  find(".all").onclick = () => { look.hidden = new Set(); keys.refresh(); changed(); };
  find(".in").onclick = () => zoomBy(1.5);
  find(".out").onclick = () => zoomBy(1 / 1.5);
  find(".fit").onclick = reset;
  box.setAttribute("aria-label", `${data.title}. Keys: ${data.hint}`);
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    const slider = target.type === "range";
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    let used = true;
    if (digit && numbers[+digit - 1] !== undefined) keys.toggle(numbers[+digit - 1], event.shiftKey);
    else if (event.key === "a") { look.hidden = new Set(); keys.refresh(); changed(); }
    else if (event.key === "o") { look.outline = !look.outline; draw(); remember(look, setStateValue); }
    else if (event.key === "[" || event.key === "]") {
      look.opacity = Math.min(100, Math.max(0, look.opacity + (event.key === "]" ? 10 : -10)));
      draw();
      remember(look, setStateValue);
    } else if (event.key === "+" || event.key === "=") zoomBy(1.5);
    else if (event.key === "-") zoomBy(1 / 1.5);
    else if (event.key === "0" || event.key === "Escape") reset();
    else if (step && !slider && view.zoom > 1) pan(...step);
    else used = false;
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };
}
