// Points on a plane: hover shows the image, a drag encircles, a click chooses. Thumbnails are asked for when the pointer first
// comes; the server hears of the circle, in the plane's own units, and of the point that is chosen.

const SHAPES = {
  circle: (p, r) => p.arc(0, 0, r, 0, 7),
  square: (p, r) => p.rect(-r * 0.9, -r * 0.9, r * 1.8, r * 1.8),
  diamond: (p, r) => polygon(p, [[0, -r * 1.3], [r * 1.1, 0], [0, r * 1.3], [-r * 1.1, 0]]),
  cross: (p, r) => { p.rect(-r, -r / 3, 2 * r, r * 0.66); p.rect(-r / 3, -r, r * 0.66, 2 * r); },
  up: (p, r) => polygon(p, [[0, -r * 1.2], [r * 1.1, r * 0.9], [-r * 1.1, r * 0.9]]),
  down: (p, r) => polygon(p, [[0, r * 1.2], [r * 1.1, -r * 0.9], [-r * 1.1, -r * 0.9]]),
  bar: (p, r) => p.rect(-r * 1.2, -r * 0.5, r * 2.4, r),
};

function polygon(path, corners) {
  corners.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
}

function mark(context, shape, x, y, r, colour, hollow, ink) {
  context.save();
  context.translate(x, y);
  context.beginPath();
  SHAPES[shape](context, r);
  if (hollow) { context.strokeStyle = colour; context.lineWidth = 1.4; context.stroke(); }
  else {
    context.fillStyle = colour; context.fill();
    // a thin edge in the text's colour: the ends of a scale would vanish on a background as dark, or as light
    context.globalAlpha *= 0.45; context.strokeStyle = ink; context.lineWidth = 0.8; context.stroke();
  }
  context.restore();
}

export default function ({ parentElement: root, data, setStateValue, setTriggerValue }) {
  const box = root.querySelector(".isp");
  const state = (root.ispState ??= { view: { ...WHOLE }, serial: 0, now: null, asked: false });
  const serial = ++state.serial;
  const find = (selector) => box.querySelector(selector);
  const canvas = find(".plane"), tip = find(".tip"), view = state.view;
  if (state.plane !== data.plane) { Object.assign(view, WHOLE); state.now = null; state.plane = data.plane; }
  const { x, y, words, colours, shapes, ids } = data, count = x.length;
  const low = [Math.min(...x), Math.min(...y)], high = [Math.max(...x), Math.max(...y)];
  const span = 1.08 * Math.max(high[0] - low[0], high[1] - low[1], 1e-9);
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  const SIZE = 5;
  let W = 600, H = 520, drag = null, line = data.lasso, sheet = null;
  const unit = () => (Math.min(W, H) / span) * view.zoom;  // CSS pixels for one unit of the plane
  const to = (px, py) => [
    W / 2 + (px - middle[0] - (view.x - 0.5) * span) * unit(), H / 2 - (py - middle[1] + (view.y - 0.5) * span) * unit()];
  const from = (sx, sy) => [
    (sx - W / 2) / unit() + middle[0] + (view.x - 0.5) * span, (H / 2 - sy) / unit() + middle[1] - (view.y - 0.5) * span];
  const chosen = data.at === null ? -1 : ids.indexOf(data.at);
  const near = new Set(data.neighbours.map((id) => ids.indexOf(id)));
  const inside = new Set(data.inside.map((id) => ids.indexOf(id)));

  const draw = () => {
    if (state.serial !== serial) return;
    const context = screen(canvas, W, H), ink = getComputedStyle(box).color;
    context.clearRect(0, 0, W, H);
    if (chosen >= 0) {
      context.strokeStyle = ink;
      context.globalAlpha = 0.5;
      for (const j of near) {
        context.beginPath(); context.moveTo(...to(x[chosen], y[chosen])); context.lineTo(...to(x[j], y[j])); context.stroke();
      }
    }
    for (let j = 0; j < count; j++) {
      const [sx, sy] = to(x[j], y[j]);
      if (sx < -9 || sy < -9 || sx > W + 9 || sy > H + 9) continue;
      context.globalAlpha = !inside.size || inside.has(j) ? 0.95 : 0.25;
      mark(context, shapes[j] || "circle", sx, sy, SIZE, colours[j], !shapes[j], ink);
    }
    context.globalAlpha = 1;
    for (const [j, r] of [[chosen, 11], [state.now ?? -1, 8]]) {
      if (j < 0 || j >= count) continue;
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.beginPath(); context.arc(...to(x[j], y[j]), r, 0, 7); context.stroke();
    }
    if (line && line.length > 1) {
      context.strokeStyle = ink;
      context.setLineDash([5, 4]);
      context.beginPath();
      line.forEach((point, i) => (i ? context.lineTo(...to(...point)) : context.moveTo(...to(...point))));
      context.closePath(); context.stroke();
      context.setLineDash([]);
    }
    find(".zoom").textContent = zoom.words();
  };
  const zoom = lens(view, draw);

  const at = (event) => { const area = canvas.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
  const nearest = ([sx, sy], most) => {
    let best = null, far = most * most;
    for (let j = 0; j < count; j++) {
      const [px, py] = to(x[j], y[j]), d = (px - sx) ** 2 + (py - sy) ** 2;
      if (d < far) { far = d; best = j; }
    }
    return best;
  };
  const show = (j) => {
    if (j !== null && !state.asked) { state.asked = true; setStateValue("thumbs", true); }
    state.now = j;
    tip.hidden = j === null;
    find(".readout").textContent = j === null ? "Point at an image, or move with the arrow keys." : words[j];
    if (j !== null) {
      const [sx, sy] = to(x[j], y[j]), small = tip.querySelector("canvas");
      tip.querySelector("span").textContent = words[j];
      small.hidden = !sheet;
      if (sheet) {
        const { width, height, columns } = data.sprite;
        screen(small, width, height)
          .drawImage(sheet, (j % columns) * width, Math.floor(j / columns) * height, width, height, 0, 0, width, height);
      }
      tip.style.left = `${Math.max(0, Math.min(sx + 14, W - 130))}px`;
      tip.style.top = `${Math.max(0, Math.min(sy + 14, H - 150))}px`;
    }
    draw();
  };
  const choose = (j) => setTriggerValue("at", j === null ? -1 : ids[j]);

  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { start: at(event), last: at(event), pan: event.shiftKey, path: [from(...at(event))], moved: false };
  };
  canvas.onpointermove = (event) => {
    const here = at(event);
    if (!drag) { show(nearest(here, 12)); return; }
    if (Math.hypot(here[0] - drag.start[0], here[1] - drag.start[1]) > 5) drag.moved = true;
    if (drag.pan) {
      view.x -= (here[0] - drag.last[0]) / unit() / span;
      view.y -= (here[1] - drag.last[1]) / unit() / span;
    } else if (Math.hypot(here[0] - drag.last[0], here[1] - drag.last[1]) > 4) { drag.path.push(from(...here)); line = drag.path; }
    else return;
    drag.last = here;
    draw();
  };
  canvas.onpointerup = () => {
    const done = drag;
    drag = null;
    if (!done || done.pan) return;
    if (!done.moved) { line = data.lasso; choose(nearest(done.start, 12)); return; }
    const every = Math.ceil(done.path.length / 40);  // an address has to stay short
    line = done.path.filter((_, i) => i % every === 0);
    draw();
    setTriggerValue("lasso", line);
  };
  canvas.onpointerleave = () => { if (!drag) show(null); };
  canvas.onwheel = (event) => {
    if (!event.ctrlKey && !box.matches(":focus-within")) return;  // the page scrolls unless the plane is in use
    event.preventDefault();
    zoom.by(event.deltaY < 0 ? 1.25 : 0.8);
  };
  find(".in").onclick = () => zoom.by(1.5);
  find(".out").onclick = () => zoom.by(1 / 1.5);
  find(".fit").onclick = zoom.reset;
  find(".clear").onclick = () => { line = null; setTriggerValue("lasso", []); choose(null); };
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.composedPath()[0].tagName === "BUTTON") return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    let used = true;
    if (way) show(step(way));
    else if (event.key === "Enter" && state.now !== null) choose(state.now);
    else if (event.key === "Escape") find(".clear").click();
    else used = zoom.key(event);
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };
  /** The point that one comes to from the present one: near, and more in this direction than across it. */
  const step = ([dx, dy]) => {
    if (state.now === null) return chosen >= 0 ? chosen : nearest([W / 2, H / 2], Infinity);
    const [ax, ay] = to(x[state.now], y[state.now]);
    let best = state.now, far = Infinity;
    for (let j = 0; j < count; j++) {
      const [bx, by] = to(x[j], y[j]), along = (bx - ax) * dx + (by - ay) * dy, across = Math.abs((bx - ax) * dy) + Math.abs((by - ay) * dx);
      if (along > 0.5 && along >= across && along + 2 * across < far) { far = along + 2 * across; best = j; }
    }
    return best;
  };

  find(".key").replaceChildren(...data.legend.map(({ name, colour, shape }) => {
    const swatch = el("canvas", { "aria-hidden": "true" });
    mark(screen(swatch, 14, 14), shape || "circle", 7, 7, 5, colour, !shape, getComputedStyle(box).color);
    return el("div", { role: "listitem" }, swatch, name);
  }));
  if (data.scale) {
    const bar = el("div", { className: "ramp" });
    bar.style.background = `linear-gradient(to right, ${data.ramp.join(",")})`;
    find(".key").append(el("span", {}, data.scale.name), bar,
      el("div", { className: "ends" }, el("span", {}, data.scale.low), el("span", {}, data.scale.high)));
  }
  find(".count").textContent = data.inside.length ? `${data.inside.length} images encircled` : "";
  find(".readout").textContent = "Point at an image, or move with the arrow keys.";
  find(".keys").textContent = data.hint;
  canvas.setAttribute("aria-label", data.alt);
  box.setAttribute("aria-label", `${data.title}. ${data.hint}`);
  const layout = () => {
    W = canvas.parentElement.clientWidth || W;
    H = Math.max(320, Math.min(560, Math.round(W * 0.7)));
    draw();
  };
  state.sized?.disconnect();
  state.sized = new ResizeObserver(layout);
  state.sized.observe(canvas.parentElement);
  layout();
  box.dataset.ready = "1";
  if (data.sprite) picture(data.sprite.url).then((image) => { sheet = image; box.dataset.thumbs = "1"; if (state.now !== null) show(state.now); });
  return () => state.sized?.disconnect();
}
