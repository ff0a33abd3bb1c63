// A box on an image, drawn, moved and resized with the mouse, a finger or keys. The server hears of it when the hand comes to
// rest (state "box": left, top, right, bottom in 0..1).

const SMALLEST = 0.03, GRIP = 11, STEP = 0.01;
const inUnit = (v) => Math.min(1, Math.max(0, v));

export default function ({ parentElement: root, data, setStateValue }) {
  const whole = root.querySelector(".isp"), canvas = root.querySelector("canvas"), readout = root.querySelector(".readout");
  const state = (root.ispState ??= { box: null, half: true, serial: 0, image: null });
  const serial = ++state.serial;
  if (state.id !== data.id) Object.assign(state, { id: data.id, box: data.box ? [...data.box] : [0, 0, 1, 1] });
  const { w, h } = data;
  const ratio = 2 * (w / h);  // height of a 1:2 box in parts of the image's height, for a width of 1
  let W = 0, H = 0;

  // a rerun of the page may mount this again before the hand has rested: what is waiting is then told by the newest
  state.tell = () => setStateValue("box", { id: data.id, box: state.box });
  const rest = () => {
    clearTimeout(state.resting);
    state.resting = setTimeout(() => state.tell(), 350);
  };
  const draw = () => {
    if (!state.image || state.serial !== serial) return;
    const across = Math.max(80, Math.min(whole.clientWidth || data.width, data.width));
    const scale = Math.min(across / w, data.height / h);
    W = Math.round(w * scale); H = Math.round(h * scale);
    const context = screen(canvas, W, H);
    context.clearRect(0, 0, W, H);
    context.drawImage(state.image, 0, 0, W, H);
    const [x0, y0, x1, y1] = state.box, x = x0 * W, y = y0 * H, bw = (x1 - x0) * W, bh = (y1 - y0) * H;
    context.fillStyle = "rgba(0,0,0,0.55)";
    context.beginPath();
    context.rect(0, 0, W, H);
    context.rect(x, y, bw, bh);
    context.fill("evenodd");
    for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x, y, bw, bh);
    }
    for (const [cx, cy] of corners()) {
      context.fillStyle = "#fff";
      context.fillRect(cx * W - 4, cy * H - 4, 8, 8);
      context.strokeStyle = "#000";
      context.lineWidth = 1;
      context.strokeRect(cx * W - 4, cy * H - 4, 8, 8);
    }
    const pixels = [Math.round((x1 - x0) * w), Math.round((y1 - y0) * h)];
    readout.textContent = `${pixels[0]} × ${pixels[1]} pixels. ${data.hint}`;
    root.querySelector(".half").setAttribute("aria-pressed", String(state.half));
    whole.dataset.box = state.box.map((v) => v.toFixed(3)).join(" ");
  };
  const corners = () => {
    const [x0, y0, x1, y1] = state.box;
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  };
  /** The box between a fixed corner and a moving point; with 1:2 the height follows the width, as far as the image goes. */
  const span = (fixed, at) => {
    let dx = at[0] - fixed[0], dy = at[1] - fixed[1];
    if (state.half) {
      const down = dy < 0 ? -1 : 1, right = dx < 0 ? -1 : 1;
      const roomX = right > 0 ? 1 - fixed[0] : fixed[0], roomY = down > 0 ? 1 - fixed[1] : fixed[1];
      const width = Math.min(Math.max(Math.abs(dx), Math.abs(dy) / ratio), roomX, roomY / ratio);
      dx = right * width; dy = down * width * ratio;
    }
    const end = [inUnit(fixed[0] + dx), inUnit(fixed[1] + dy)];
    return [Math.min(fixed[0], end[0]), Math.min(fixed[1], end[1]), Math.max(fixed[0], end[0]), Math.max(fixed[1], end[1])];
  };
  const set = (box) => {
    if (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) return;
    state.box = box;
    draw();
  };
  const move = (dx, dy) => {
    const [x0, y0, x1, y1] = state.box;
    const mx = Math.min(1 - x1, Math.max(-x0, dx)), my = Math.min(1 - y1, Math.max(-y0, dy));
    set([x0 + mx, y0 + my, x1 + mx, y1 + my]);
  };
  const toHalf = () => {  // the largest 1:2 box with the same middle
    const [x0, y0, x1, y1] = state.box, cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
    const width = Math.min(x1 - x0, (y1 - y0) / ratio);
    set([cx - width / 2, cy - (width * ratio) / 2, cx + width / 2, cy + (width * ratio) / 2]);
  };

  const at = (event) => {
    const area = canvas.getBoundingClientRect();
    return [inUnit((event.clientX - area.left) / area.width), inUnit((event.clientY - area.top) / area.height)];
  };
  canvas.onpointerdown = (event) => {
    const point = at(event), grip = corners().findIndex(([x, y]) => Math.hypot((x - point[0]) * W, (y - point[1]) * H) <= GRIP);
    const [x0, y0, x1, y1] = state.box;
    const inside = point[0] > x0 && point[0] < x1 && point[1] > y0 && point[1] < y1;
    const all = x0 === 0 && y0 === 0 && x1 === 1 && y1 === 1;
    if (grip >= 0) state.drag = { fixed: corners()[(grip + 2) % 4] };
    else state.drag = inside && !all ? { last: point } : { fixed: point };
    canvas.setPointerCapture(event.pointerId);
    whole.focus({ preventScroll: true });
    event.preventDefault();
  };
  canvas.onpointermove = (event) => {
    if (!state.drag) return;
    const point = at(event);
    if (state.drag.fixed) set(span(state.drag.fixed, point));
    else { move(point[0] - state.drag.last[0], point[1] - state.drag.last[1]); state.drag.last = point; }
  };
  canvas.onpointerup = canvas.onpointercancel = () => { if (state.drag) rest(); state.drag = null; };

  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  whole.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = keys[event.key];
    if (way && event.shiftKey) {
      const [x0, y0, x1, y1] = state.box, wide = way[0] * STEP * 2, high = way[1] * STEP * 2;
      set(span([x0, y0], [inUnit(x1 + wide + (state.half ? high / ratio : 0)), inUnit(y1 + high + (state.half ? wide * ratio : 0))]));
    } else if (way) move(way[0] * STEP, way[1] * STEP);
    else if (event.key === "0") set([0, 0, 1, 1]);
    else if (event.key === "r") { state.half = !state.half; if (state.half) toHalf(); else draw(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    rest();
  };
  root.querySelector(".half").onclick = () => { state.half = !state.half; if (state.half) toHalf(); else draw(); rest(); };
  root.querySelector(".whole").onclick = () => { set([0, 0, 1, 1]); rest(); };
  whole.setAttribute("aria-label", `${data.title}. Keys: ${data.keys}`);

  const sized = new ResizeObserver(draw);
  picture(data.image).then((image) => {
    if (state.serial !== serial) return;
    state.image = image;
    draw();
    sized.observe(whole);
    whole.dataset.ready = "1";
  });
  return () => sized.disconnect();
}
