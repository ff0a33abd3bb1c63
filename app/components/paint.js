// What the three components share: label maps out of PNGs, overlays, outlines. Draws on canvases only: no network,
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

/** A small canvas (w x h) of a label map in the parts' colours; hidden parts and background stay clear. */
function tint(labels, w, h, colours, hidden) {
  const canvas = new OffscreenCanvas(w, h), context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0; i < labels.length; i++) {
    const part = labels[i];
    if (part === 0 || hidden.has(part)) continue;
    const [r, g, b] = part === IGNORE ? [128, 128, 128] : colours.get(part) ?? [128, 128, 128];
    image.data.set([r, g, b, part === IGNORE ? 110 : 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
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

/**
 * Picture, label map and outline on a context of width x height CSS pixels.
 * view: {zoom, x, y}: x, y in 0..1 is the point of the picture in the middle of the canvas.
 */
function paint(context, width, height, layer, look, view) {
  context.save();
  context.clearRect(0, 0, width, height);
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.fillStyle = layer.image ? "#777" : "#2b2b2b";
  context.fillRect(0, 0, width, height);
  context.translate(width / 2, height / 2);
  context.scale(view.zoom, view.zoom);
  context.translate(-view.x * width, -view.y * height);
  if (layer.image) {
    context.imageSmoothingEnabled = true;
    context.drawImage(layer.image, 0, 0, width, height);
  }
  if (layer.labels) {
    context.imageSmoothingEnabled = false;  // label maps are never smoothed: a pixel has one part
    context.globalAlpha = look.opacity / 100;
    context.drawImage(layer.tinted, 0, 0, width, height);
    context.globalAlpha = 1;
    if (look.outline) {
      context.scale(width / layer.w, height / layer.h);
      const unit = layer.w / width / view.zoom;
      context.strokeStyle = "#000";
      context.lineWidth = 2.6 * unit;
      context.stroke(layer.path);
      context.strokeStyle = "#fff";
      context.lineWidth = 1.1 * unit;
      context.stroke(layer.path);
    }
  }
  context.restore();
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
  const look = { opacity: 55, outline: false, hidden: [], ...kept, ...(fromUrl ?? {}) };
  return { opacity: look.opacity, outline: look.outline, hidden: new Set(look.hidden) };
}

/** Keeps the look in this tab at once, and tells the server when the hand comes to rest: it writes the address. */
const REST = 400;
let resting = null;
function remember(look, setStateValue) {
  const hidden = [...look.hidden].sort((a, b) => a - b);
  const kept = { opacity: look.opacity, outline: look.outline, hidden };
  sessionStorage.setItem(LOOK_KEY, JSON.stringify(kept));
  clearTimeout(resting);
  resting = setTimeout(() => setStateValue("look", kept), REST);
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
