// What the components share: label maps out of PNGs, overlays, outlines. Draws on canvases only: no network,
// no markup from data (text goes in through textContent).

const IGNORE = 255;

/** Decodes a data URI into its raw pixels, {w, h, data}: data holds RGBA bytes; a grey PNG's label is its red byte. */
async function pixels(uri) {
  const image = await picture(uri);
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return { w: canvas.width, h: canvas.height, data: context.getImageData(0, 0, canvas.width, canvas.height).data };
}

async function picture(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  return image;
}

/** The labels of one map, (h * w) bytes, cut out of decoded pixels at (x0, y0). */
function cut(sheet, x0, y0, w, h) {
  const labels = new Uint8Array(w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) labels[y * w + x] = sheet.data[4 * ((y0 + y) * sheet.w + x0 + x)];
  return labels;
}

/** Colours by label as RGBA words in the byte order of canvases; hidden parts and background are clear. */
function colourWords(colours, hidden) {
  const bytes = new Uint8ClampedArray(4 * 256), words = new Uint32Array(bytes.buffer);
  for (let part = 1; part < 256; part++) {
    if (hidden.has(part)) continue;
    bytes.set(part === IGNORE ? [128, 128, 128, 110] : [...(colours.get(part) ?? [128, 128, 128]), 255], 4 * part);
  }
  return words;
}

/** A small canvas (w x h) whose pixel i has the colour words[value(i)]. */
function coloured(w, h, words, value) {
  const canvas = new OffscreenCanvas(w, h), context = canvas.getContext("2d");
  const image = context.createImageData(w, h), pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = words[value(i)];
  context.putImageData(image, 0, 0);
  return canvas;
}

/** A small canvas (w x h) of a label map in the parts' colours. */
function tint(labels, w, h, words) {
  return coloured(w, h, words, (i) => labels[i]);
}

/** Lines between pixels of different visible parts, in map coordinates: a Path2D. */
function borders(labels, w, h, hidden) {
  const path = new Path2D();
  const at = (x, y) => {
    const part = x < 0 || y < 0 || x >= w || y >= h ? 0 : labels[y * w + x];
    return hidden.has(part) ? 0 : part;
  };
  for (let y = 0; y <= h; y++)
    for (let x = 0; x <= w; x++) {
      const here = at(x, y);
      if (here !== at(x - 1, y)) { path.moveTo(x, y); path.lineTo(x, y + 1); }
      if (here !== at(x, y - 1)) { path.moveTo(x, y); path.lineTo(x + 1, y); }
    }
  return path;
}

/** Where to write each visible part's name: its pixel nearest to its middle, [x, y, name] in map coordinates. */
function marks(labels, w, h, hidden, names) {
  const sums = new Map();
  labels.forEach((part, i) => {
    if (part === 0 || part === IGNORE || hidden.has(part)) return;
    const sum = sums.get(part) ?? { n: 0, x: 0, y: 0, far: Infinity, at: null };
    sum.n += 1; sum.x += i % w; sum.y += Math.floor(i / w);
    sums.set(part, sum);
  });
  labels.forEach((part, i) => {
    const sum = sums.get(part);
    if (!sum) return;
    const x = i % w, y = Math.floor(i / w);
    const far = (x - sum.x / sum.n) ** 2 + (y - sum.y / sum.n) ** 2;
    if (far < sum.far) { sum.far = far; sum.at = [x + 0.5, y + 0.5]; }
  });
  const words = (part) => String(names.get(part) ?? part).split(" · ").pop().split(",")[0];
  return [...sums].filter(([, sum]) => sum.n >= 0.004 * w * h).map(([part, sum]) => [...sum.at, words(part)]);
}

/** What is drawn of a label map besides its colours: borders, and names so that colours are not the only cue. */
function outlined(labels, w, h, hidden, names) {
  return { path: borders(labels, w, h, hidden), marks: marks(labels, w, h, hidden, names) };
}

/** Sizes a canvas for the screen's pixels; returns its context scaled to CSS pixels. */
function screen(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Draws inside the window that `view` cuts out: {zoom, x, y}, where x, y in 0..1 is the point in the middle. */
function through(context, width, height, view, draw) {
  context.save();
  context.clearRect(0, 0, width, height);
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.translate(width / 2, height / 2);
  context.scale(view.zoom, view.zoom);
  context.translate(-view.x * width, -view.y * height);
  draw();
  context.restore();
}

/**
 * Picture, label map and outline on a context of width x height CSS pixels, seen through `view`.
 * A layer with `over` set lies on top of a picture that is drawn elsewhere.
 */
function paint(context, width, height, layer, look, view) {
  through(context, width, height, view, () => {
    if (!layer.over) {
      context.fillStyle = layer.image ? "#777" : "#2b2b2b";
      context.fillRect(0, 0, width, height);
    }
    if (layer.image) {
      context.imageSmoothingEnabled = true;
      context.drawImage(layer.image, 0, 0, width, height);
    }
    if (!layer.labels) return;
    context.imageSmoothingEnabled = false;  // label maps are never smoothed: a pixel has one part
    context.globalAlpha = look.opacity / 100;
    context.drawImage(layer.tinted, 0, 0, width, height);
    context.globalAlpha = 1;
    if (!look.outline) return;
    context.scale(width / layer.w, height / layer.h);
    const unit = layer.w / width / view.zoom;
    context.strokeStyle = "#000";
    context.lineWidth = 2.6 * unit;
    context.stroke(layer.path);
    context.strokeStyle = "#fff";
    context.lineWidth = 1.1 * unit;
    context.stroke(layer.path);
    context.scale(layer.w / width, layer.h / height);  // letters keep the screen's shape and size
    const size = Math.max(9, Math.min(13, width / 11)) / view.zoom;
    context.font = `600 ${size}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = size / 4;
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    for (const [x, y, words] of layer.marks) {
      const at = [(x / layer.w) * width, (y / layer.h) * height];
      context.strokeText(words, ...at);
      context.fillText(words, ...at);
    }
  });
}

/** A cross at the point `at` (0..1) of what is seen through `view` on a canvas of width x height CSS pixels. */
function crosshair(context, at, view, width, height) {
  const x = ((at.x - view.x) * view.zoom + 0.5) * width;
  const y = ((at.y - view.y) * view.zoom + 0.5) * height;
  for (const [colour, thick] of [["#000", 3], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(x - 7, y); context.lineTo(x + 7, y);
    context.moveTo(x, y - 7); context.lineTo(x, y + 7);
    context.stroke();
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Where Shift and an arrow key lead from the point `at` (0..1; null: the middle) on a map of w x h pixels; null: another key. */
function stepped(event, at, w, h) {
  const way = ARROWS[event.key];
  if (!way || !event.shiftKey) return null;
  const from = at ?? { x: 0.5, y: 0.5 };
  return {
    x: Math.min(1 - 0.5 / w, Math.max(0.5 / w, from.x + way[0] / w)),
    y: Math.min(1 - 0.5 / h, Math.max(0.5 / h, from.y + way[1] / h)),
  };
}

const WHOLE = { zoom: 1, x: 0.5, y: 0.5 };

/** Zoom and pan of a view that several canvases share; `draw` shows the change. */
function lens(view, draw) {
  const clamp = () => {
    view.zoom = Math.min(16, Math.max(1, view.zoom));
    const half = 0.5 / view.zoom;
    view.x = Math.min(1 - half, Math.max(half, view.x));
    view.y = Math.min(1 - half, Math.max(half, view.y));
    draw();
  };
  const by = (factor, at = { x: view.x, y: view.y }) => {
    const before = view.zoom;
    view.zoom = Math.min(16, Math.max(1, view.zoom * factor));
    const pull = 1 - before / view.zoom;
    view.x += (at.x - view.x) * pull;
    view.y += (at.y - view.y) * pull;
    clamp();
  };
  const pan = (dx, dy) => { view.x += dx / view.zoom; view.y += dy / view.zoom; clamp(); };
  const reset = () => { Object.assign(view, WHOLE); draw(); };
  /** The point of the picture under the pointer, in 0..1. */
  const at = (event, canvas) => {
    const area = canvas.getBoundingClientRect();
    return {
      x: view.x + ((event.clientX - area.left) / area.width - 0.5) / view.zoom,
      y: view.y + ((event.clientY - area.top) / area.height - 0.5) / view.zoom,
    };
  };
  /** Wheel, drag and double-click on one of the canvases; `moved` hears of the point under the pointer, null outside. */
  const watch = (box, canvas, moved) => {
    let drag = null;
    canvas.onpointerdown = (event) => { drag = { x: event.clientX, y: event.clientY }; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointerup = () => { drag = null; };
    canvas.onpointermove = (event) => {
      if (drag && view.zoom > 1) {
        pan((drag.x - event.clientX) / canvas.clientWidth, (drag.y - event.clientY) / canvas.clientHeight);
        drag = { x: event.clientX, y: event.clientY };
      }
      moved(at(event, canvas));
    };
    canvas.onpointerleave = () => { if (!drag) moved(null); };
    canvas.ondblclick = (event) => by(event.shiftKey ? 0.5 : 2, at(event, canvas));
    canvas.onwheel = (event) => {
      if (!event.ctrlKey && !box.matches(":focus-within")) return;  // the page scrolls unless the viewer is in use
      event.preventDefault();
      by(event.deltaY < 0 ? 1.25 : 0.8, at(event, canvas));
    };
  };
  /** The keys + - 0 Escape; false where the key is another. */
  const key = (event) => {
    if (event.key === "+" || event.key === "=") by(1.5);
    else if (event.key === "-") by(1 / 1.5);
    else if (event.key === "0" || event.key === "Escape") reset();
    else return false;
    return true;
  };
  const words = () => `${view.zoom.toFixed(view.zoom < 10 ? 1 : 0)}×`;
  return { by, pan, reset, watch, key, words };
}

/** Elements without markup: el("button", {className, onclick, "aria-label"}, "text", child...). */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name === "className") node.className = value;
    else if (name.startsWith("on")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** What the viewer's controls are set to: from the URL, else from this tab's memory, else the defaults. */
const LOOK_KEY = "isp-look";
function recall(fromUrl) {
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(LOOK_KEY) ?? "{}"); } catch { kept = {}; }
  const look = { opacity: 55, outline: false, hidden: [], ...kept, ...fromUrl };
  return { opacity: look.opacity, outline: look.outline, hidden: new Set(look.hidden) };
}

/**
 * Keeps the look in this tab and shows it in the page's other viewers at once; tells the server when the hand comes to
 * rest: it writes the address.
 */
const REST = 400;
let resting = null;
function remember(look, setStateValue) {
  const hidden = [...look.hidden].sort((a, b) => a - b);
  const kept = { opacity: look.opacity, outline: look.outline, hidden };
  sessionStorage.setItem(LOOK_KEY, JSON.stringify(kept));
  window.dispatchEvent(new CustomEvent(LOOK_KEY, { detail: { look, kept } }));
  clearTimeout(resting);
  resting = setTimeout(() => setStateValue("look", kept), REST);
}

/** Takes over what another viewer of the page was set to; returns how to stop listening. */
function follow(look, apply) {
  const hear = ({ detail }) => {
    if (detail.look === look) return;
    Object.assign(look, { opacity: detail.kept.opacity, outline: detail.kept.outline, hidden: new Set(detail.kept.hidden) });
    apply();
  };
  window.addEventListener(LOOK_KEY, hear);
  return () => window.removeEventListener(LOOK_KEY, hear);
}

/**
 * Opacity, outline and the legend of a viewer, with their keys: 1-9 hides or shows a part, Shift+1-9 shows it alone, A all,
 * O outline, [ and ] opacity. `draw` shows a new opacity or outline, `changed` new hidden parts.
 */
function lookControls(find, parts, look, draw, changed, setStateValue) {
  const opacity = find(".opacity"), outline = find(".outline");
  const show = () => {
    opacity.value = look.opacity;
    outline.setAttribute("aria-pressed", String(look.outline));
  };
  const lightly = () => { show(); draw(); remember(look, setStateValue); };
  const fully = () => { show(); changed(); remember(look, setStateValue); };
  const keys = legend(find(".legend"), parts, look, fully);
  const all = () => { look.hidden = new Set(); keys.refresh(); fully(); };
  opacity.oninput = () => { look.opacity = +opacity.value; lightly(); };
  outline.onclick = () => { look.outline = !look.outline; lightly(); };
  find(".all").onclick = all;
  show();
  const key = (event) => {
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (digit && parts[+digit - 1]) keys.toggle(parts[+digit - 1].k, event.shiftKey);
    else if (event.key === "a") all();
    else if (event.key === "o") { look.outline = !look.outline; lightly(); }
    else if (event.key === "[" || event.key === "]") {
      look.opacity = Math.min(100, Math.max(0, look.opacity + (event.key === "]" ? 10 : -10)));
      lightly();
    } else return false;
    return true;
  };
  const stop = follow(look, () => { show(); keys.refresh(); changed(); });
  return { key, stop };
}

/** Words for every label of a map. */
function namesOf(parts) {
  return new Map([[0, "background"], [IGNORE, "ignored"], ...parts.map((part) => [part.k, part.name])]);
}

/** The legend: one toggle per part; Shift-click or double-click shows that part alone. `changed` redraws. */
function legend(box, parts, look, changed) {
  const solo = (k) => {
    const alone = parts.every((part) => (part.k === k) !== look.hidden.has(part.k));
    look.hidden = new Set(alone ? [] : parts.map((part) => part.k).filter((other) => other !== k));
  };
  const refresh = () => {
    for (const button of box.children) button.setAttribute("aria-pressed", String(!look.hidden.has(+button.dataset.k)));
  };
  const toggle = (k, alone) => {
    if (alone) solo(k);
    else if (look.hidden.has(k)) look.hidden.delete(k);
    else look.hidden.add(k);
    refresh();
    changed();
  };
  box.replaceChildren(...parts.map((part) => {
    const swatch = el("i", { "aria-hidden": "true" });
    swatch.style.background = `rgb(${part.rgb.join(",")})`;
    const button = el("button", {
      type: "button", "data-k": part.k, title: `${part.name}: click to hide or show, Shift-click to show alone`,
      onclick: (event) => toggle(part.k, event.shiftKey),
      ondblclick: () => { look.hidden = new Set(); toggle(part.k, true); },
    }, swatch, part.name);
    return button;
  }));
  refresh();
  return { toggle, refresh };
}
