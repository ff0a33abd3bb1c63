// A grid of pictures from one sprite: rankings, people, filtered lists. One tab stop; arrows move; Enter opens.

export default function ({ parentElement: root, data, setTriggerValue }) {
  const box = root.querySelector(".tiles"), { tiles, sprite } = data;
  const state = (root.ispState ??= { masks: false, active: 0 });
  root.querySelector("style.sheet")?.remove();
  const style = el("style", { className: "sheet" });
  style.textContent = `.tile i{background-image:url(${sprite.url});width:${sprite.width}px;height:${sprite.height}px}`
    + (sprite.masks ? `.masks .tile i{background-image:url(${sprite.masks})}` : "");
  root.append(style);
  box.style.gridTemplateColumns = `repeat(auto-fill, ${sprite.width + 8}px)`;
  box.setAttribute("aria-label", data.title);
  const toggle = root.querySelector(".masks-toggle");
  toggle.hidden = !sprite.masks;
  const show = () => { box.classList.toggle("masks", state.masks); toggle.setAttribute("aria-pressed", String(state.masks)); };
  toggle.onclick = () => { state.masks = !state.masks; show(); };
  show();
  state.active = Math.min(state.active, Math.max(0, tiles.length - 1));

  const MARKS = { match: "✓", wrong: "✗", none: "", query: "?" };
  box.replaceChildren(...tiles.map((tile, i) => {
    const frame = el("i", { "aria-hidden": "true" });
    frame.style.backgroundPosition =
      `-${(i % sprite.columns) * sprite.width}px -${Math.floor(i / sprite.columns) * sprite.height}px`;
    const button = el("button", {
      type: "button", className: `tile ${tile.mark}`, "data-i": i, tabindex: i === state.active ? 0 : -1,
      "aria-label": tile.alt, title: tile.alt,
    }, frame, el("span", {}, `${MARKS[tile.mark] ?? ""} ${tile.text}`.trim()));
    if (tile.more) button.append(el("span", { className: "more" }, tile.more));
    if (tile.id === data.selected) button.setAttribute("aria-current", "true");
    return button;
  }));
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
  box.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const i = state.active, step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    let used = true;
    if (step) focus(i + step);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(tiles.length - 1);
    else if (event.key === "m" && sprite.masks) toggle.click();
    else used = false;
    if (used) { event.preventDefault(); event.stopPropagation(); }
  };
  box.dataset.ready = "1";
}
