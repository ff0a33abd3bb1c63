// One picture over all stored epochs: all label maps arrive as one PNG, so that scrubbing and playing need no server.
// The server hears of an epoch when the hand comes to rest (state "epoch"), for downloads and the address.

export default function ({ parentElement: root, data, setStateValue }) {
  const box = root.querySelector(".isp");
  const state = (root.ispState ??= { look: recall(data.look), view: { ...WHOLE }, i: null, timer: null, playing: false, serial: 0 });
  const { look, view } = state;
  const serial = ++state.serial;
  state.stop?.();
  const epochs = data.epochs, count = epochs.length;
  const find = (selector) => box.querySelector(selector);
  const colours = new Map(data.parts.map((part) => [part.k, part.rgb]));
  const names = namesOf(data.parts);
  const slider = find(".epoch"), play = find(".play"), main = find(".main"), heat = find(".heat"), film = find(".film");
  const W = data.width, H = Math.round(data.width * data.aspect);
  const GAP = 4, SMALLEST = 30, LARGEST = 64;  // CSS pixels: between frames of the film, and a frame's width
  const reel = () => {  // the film fills the width, a slot for each epoch; it scrolls where they are too many
    const slot = Math.max(SMALLEST + GAP, (film.parentElement.clientWidth || 0) / count);
    const width = Math.min(LARGEST, Math.floor(slot - GAP));
    return { slot, width, height: Math.round(width * data.aspect) };
  };

  // a new picture keeps the epoch one is looking at; the address decides at first
  const wanted = state.i === null ? data.epoch : state.epochs[state.i];
  state.epochs = epochs;
  state.i = nearest(wanted);
  slider.max = count - 1;
  for (const each of [".transport", ".reel"]) find(each).style.display = count > 1 ? "" : "none";  // of one epoch there is nothing to scrub

  function nearest(epoch) {
    let best = 0;
    epochs.forEach((other, i) => { if (Math.abs(other - epoch) < Math.abs(epochs[best] - epoch)) best = i; });
    return best;
  }
  const cell = (i) => [(i % data.columns) * data.w, Math.floor(i / data.columns) * data.h];
  let sheet = null, heatSheet = null, image = null, maps = [], tints = [], filmImage = null;

  let words = null;
  const retint = () => {  // frames are tinted again when they are next drawn
    words = colourWords(colours, look.hidden);
    tints = [];
    filmImage = null;
  };
  const tinted = (i) => (tints[i] ??= tint(maps[i], data.w, data.h, words));
  const layer = (i) => ({
    image, labels: maps[i], w: data.w, h: data.h, tinted: tinted(i),
    ...(look.outline ? outlined(maps[i], data.w, data.h, look.hidden, names) : {}),
  });
  const draw = () => {
    if (!maps.length || state.serial !== serial) return;
    const i = state.i;
    paint(screen(main, W, H), W, H, layer(i), look, view);
    if (heatSheet) drawHeat(i);
    if (state.at) for (const each of heatSheet ? [main, heat] : [main]) crosshair(each.getContext("2d"), state.at, view, W, H);
    if (filmImage) drawFilm(i);
    else {  // the film is drawn when the hand has been served
      clearTimeout(state.film);
      state.film = setTimeout(() => { if (state.serial === serial && box.isConnected) drawFilm(state.i); }, 20);
    }
    drawLines(i);
    slider.value = i;
    slider.setAttribute("aria-valuetext", `epoch ${epochs[i]}`);
    find(".now").textContent = `epoch ${epochs[i]}`;
    find(".shares").textContent = shares(maps[i]);
    find(".zoom").textContent = zoom.words();
    box.dataset.epoch = epochs[i];
  };
  const shares = (labels) => {
    const counts = new Map();
    for (const part of labels) counts.set(part, (counts.get(part) ?? 0) + 1);
    const present = data.parts.filter((part) => counts.has(part.k))
      .map((part) => `${part.name}: ${((100 * counts.get(part.k)) / labels.length).toFixed(1)} %`);
    const missing = data.parts.filter((part) => !counts.has(part.k)).map((part) => part.name);
    return "Share of the map: " + (present.join(", ") || "background only") + (missing.length ? `; absent: ${missing.join(", ")}` : "");
  };
  const ramp = data.ramp && new Uint32Array(new Uint8ClampedArray(data.ramp.flatMap((rgb) => [...rgb, 255])).buffer);
  const drawHeat = (i) => {
    const [x0, y0] = cell(i);
    const small = coloured(data.w, data.h, ramp, (p) =>
      heatSheet.data[4 * ((y0 + Math.floor(p / data.w)) * heatSheet.w + x0 + (p % data.w))]);
    const context = screen(heat, W, H);
    through(context, W, H, view, () => {
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, W, H);
    });
  };
  const zoom = lens(view, draw);
  const drawFilm = (i) => {
    const { slot, width: frame, height: tall } = reel();
    const width = Math.floor(slot * count), height = tall + 14, left = (j) => j * slot + (slot - frame) / 2;
    if (!filmImage || filmImage.width !== width) {  // all frames once; the cursor is drawn over a copy
      filmImage = new OffscreenCanvas(width, height);
      const context = filmImage.getContext("2d");
      context.font = "10px sans-serif";
      context.textAlign = "center";
      const colour = getComputedStyle(box).color;
      for (let j = 0; j < count; j++) {
        const x = left(j);
        if (image) context.drawImage(image, x, 0, frame, tall);
        else { context.fillStyle = "#2b2b2b"; context.fillRect(x, 0, frame, tall); }
        context.imageSmoothingEnabled = false;
        context.globalAlpha = 0.85;
        context.drawImage(tinted(j), x, 0, frame, tall);
        context.globalAlpha = 1;
        context.imageSmoothingEnabled = true;
        context.fillStyle = colour;
        context.fillText(String(epochs[j]), x + frame / 2, tall + 11);
        if (j && epochs[j] - epochs[j - 1] > data.step) {  // a gap in what is stored
          context.strokeStyle = colour;
          context.setLineDash([2, 2]);
          context.beginPath(); context.moveTo(j * slot, 0); context.lineTo(j * slot, tall); context.stroke();
          context.setLineDash([]);
        }
      }
    }
    if (film.width !== width || film.height !== height) { film.width = width; film.height = height; }
    const context = film.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.drawImage(filmImage, 0, 0);
    context.strokeStyle = getComputedStyle(box).getPropertyValue("--st-primary-color") || "#0072B2";
    context.lineWidth = 3;
    context.strokeRect(left(i) + 1.5, 1.5, frame - 3, tall - 3);
    const view = film.parentElement, x = i * slot;
    if (x < view.scrollLeft || x + slot > view.scrollLeft + view.clientWidth) view.scrollLeft = x - view.clientWidth / 2;
  };

  // lines: one small chart a series, all with the same epochs from left to right
  const SVG = "http://www.w3.org/2000/svg", LW = 600, LH = 54;
  const first = Math.min(...data.series.flatMap((s) => s.epochs), epochs[0]);
  const last = Math.max(...data.series.flatMap((s) => s.epochs), epochs[count - 1]);
  const across = (epoch) => (last === first ? LW / 2 : 4 + ((epoch - first) / (last - first)) * (LW - 8));
  const svg = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const charts = data.series.map((series) => {
    const known = series.values.filter((value) => value !== null);
    const all = series.level === null ? known : [...known, series.level];  // the level is always in sight
    const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
    const height = (value) => LH - 5 - ((value - low) / span) * (LH - 10);
    const chart = svg("svg", { viewBox: `0 0 ${LW} ${LH}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${series.name} by epoch, from ${low.toFixed(2)} to ${high.toFixed(2)}` });
    let pen = "", down = false;
    series.values.forEach((value, j) => {
      if (value === null) { down = false; return; }
      pen += `${down ? "L" : "M"}${across(series.epochs[j]).toFixed(1)} ${height(value).toFixed(1)}`;
      const alone = !down && (series.values[j + 1] ?? null) === null;  // no line leads to or from it: a dot
      if (alone) pen += "h0";
      down = true;
    });
    chart.append(svg("path", { d: pen, class: "line" }));
    if (series.level !== null)
      chart.append(svg("path", { d: `M4 ${height(series.level)}H${LW - 4}`, class: "level" }));
    const cursor = svg("line", { y1: 0, y2: LH, class: "cursor" });
    chart.append(cursor);
    const value = el("b");
    const figure = el("div", { className: "series" },
      el("div", { className: "head" }, el("span", {}, series.name), value,
        el("span", { className: "quiet" }, `${Math.min(...known).toFixed(series.digits)} to ${Math.max(...known).toFixed(series.digits)}${series.note ? `; ${series.note}` : ""}`)),
      chart);
    chart.onpointerdown = chart.onpointermove = (event) => {
      if (event.type === "pointermove" && !(event.buttons & 1)) return;
      const area = chart.getBoundingClientRect();
      go(nearest(first + ((event.clientX - area.left) / area.width) * (last - first)));
    };
    chart.onpointerup = settle;
    return { series, cursor, value, figure };
  });
  const drawLines = (i) => {
    for (const { series, cursor, value } of charts) {
      cursor.setAttribute("x1", across(epochs[i]));
      cursor.setAttribute("x2", across(epochs[i]));
      const known = series.values[series.epochs.indexOf(epochs[i])];
      value.textContent = known === undefined || known === null ? "–" : known.toFixed(series.digits) + series.unit;
    }
  };
  find(".lines").replaceChildren(...charts.map((chart) => chart.figure));

  function go(i) {
    state.i = Math.min(count - 1, Math.max(0, i));
    draw();
  }
  function settle() {
    clearTimeout(state.rest);
    const epoch = epochs[state.i];
    state.rest = setTimeout(() => setStateValue("epoch", epoch), 250);
  }
  const stop = () => { clearInterval(state.timer); state.playing = false; play.textContent = "▶ Play"; play.setAttribute("aria-pressed", "false"); };
  const start = () => {
    clearInterval(state.timer);
    state.playing = true;
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-pressed", "true");
    state.timer = setInterval(() => {
      if (state.i >= count - 1) { stop(); settle(); } else go(state.i + 1);
    }, 1000 / +find(".speed").value);
  };
  if (state.playing) start(); else stop();  // an answer of the server does not stop the film
  play.onclick = () => {
    if (state.playing) { stop(); settle(); return; }
    if (state.i === count - 1) go(0);
    start();
  };
  find(".speed").onchange = () => { if (state.playing) start(); };
  slider.oninput = () => { stop(); go(+slider.value); };
  slider.onchange = settle;
  film.onclick = (event) => {
    const area = film.getBoundingClientRect();
    stop();
    go(Math.floor(((event.clientX - area.left) / area.width) * count));
    settle();
  };
  const POINT = "Point at a pixel to read its part.";
  const read = (at) => {
    state.at = at;
    draw();
    if (!at || !maps.length) { find(".readout").textContent = POINT; return; }
    const x = Math.min(data.w - 1, Math.max(0, Math.floor(at.x * data.w)));
    const y = Math.min(data.h - 1, Math.max(0, Math.floor(at.y * data.h)));
    const part = maps[state.i][y * data.w + x];
    const [x0, y0] = cell(state.i);
    const warm = heatSheet ? `, activation ${(heatSheet.data[4 * ((y0 + y) * heatSheet.w + x0 + x)] / 255).toFixed(2)}` : "";
    find(".readout").textContent =
      `column ${x}, row ${y} of the ${data.w} × ${data.h} map: ${names.get(part) ?? `part ${part}`}${warm}`;
  };
  zoom.watch(box, main, read);
  zoom.watch(box, heat, read);
  find(".in").onclick = () => zoom.by(1.5);
  find(".out").onclick = () => zoom.by(1 / 1.5);
  find(".fit").onclick = zoom.reset;
  const controls = lookControls(find, data.parts, look, draw, () => { retint(); draw(); }, setStateValue);
  state.stop = controls.stop;
  find(".readout").textContent = POINT;
  find(".keys").textContent = `Keys: ${data.hint}`;
  if (data.ramp) {
    const steps = data.ramp.filter((_, i) => i % 15 === 0).map((rgb) => `rgb(${rgb.join(",")})`);
    find(".scale i").style.background = `linear-gradient(to right, ${steps.join(",")})`;
  }
  find(".missing").textContent = data.missing;
  main.setAttribute("aria-label", data.alt);
  heat.setAttribute("aria-label", `Activation of Eq. 3, ${data.alt}`);
  film.setAttribute("aria-label", `Film strip of ${count} epochs, ${data.alt}`);
  find(".heatbox").hidden = !data.heat;
  box.setAttribute("aria-label", `${data.title}. Keys: ${data.hint}`);
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (target.tagName === "SELECT" || (target.type === "range" && target !== slider)) return;
    const to = { ArrowLeft: state.i - 1, ArrowRight: state.i + 1, PageUp: state.i - 10, PageDown: state.i + 10, Home: 0, End: count - 1 }[event.key];
    const pixel = maps.length ? stepped(event, state.at, data.w, data.h) : null;
    let used = true;
    if (pixel) read(pixel);
    else if (to !== undefined) { stop(); go(to); settle(); }
    else if (event.key === " " && target.tagName !== "BUTTON") play.click();
    else used = controls.key(event) || zoom.key(event);
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };

  (async () => {
    sheet = await pixels(data.strip);
    heatSheet = data.heat ? await pixels(data.heat) : null;
    image = data.image ? await picture(data.image) : null;
    if (state.serial !== serial) return;
    maps = epochs.map((_, i) => cut(sheet, ...cell(i), data.w, data.h));
    retint();
    draw();
    state.sized?.disconnect();
    state.sized = new ResizeObserver(() => { if (state.serial === serial) drawFilm(state.i); });
    state.sized.observe(film.parentElement);
    box.dataset.ready = "1";
  })();
  return () => { clearInterval(state.timer); controls.stop(); state.sized?.disconnect(); };
}
