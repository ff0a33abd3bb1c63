// Every text on the page whose contrast with its background is below WCAG's AA (4.5, or 3 for large letters): one line each.
() => {
  const parse = (colour) => {
    const n = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(srgb") ? [...n.slice(0, 3).map((v) => 255 * v), n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (top, below, share) => [0, 1, 2].map((i) => top[i] * share + below[i] * (1 - share));
  const parent = (node) => node.parentElement ?? (node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null);
  const up = function* (node) { for (let one = node; one; one = parent(one)) yield one; };
  const background = (node) => {
    const layers = [];
    for (const one of up(node)) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0) layers.unshift(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduce((below, layer) => over(layer, below, layer[3]), [255, 255, 255]);
  };
  const found = new Set();
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      const text = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join(" ").trim();
      const area = node.getBoundingClientRect(), style = getComputedStyle(node);
      if (!text || !area.width || !area.height || style.visibility === "hidden") continue;
      // icons are letters of a font; what is switched off may be pale
      if (node.closest("[data-testid=stIconMaterial],[disabled],[aria-disabled=true],:disabled,canvas,svg")) continue;
      let share = 1;
      for (const one of up(node)) share *= +getComputedStyle(one).opacity;
      const below = background(node), colour = parse(style.color), shown = over(colour, below, colour[3] * share);
      const [a, b] = [light(shown) + 0.05, light(below) + 0.05], ratio = Math.max(a, b) / Math.min(a, b);
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && +style.fontWeight >= 700);
      if (ratio < (large ? 3 : 4.5))
        found.add(`${ratio.toFixed(2)} ${node.closest("[data-testid]")?.dataset.testid ?? ""} ${node.tagName}: ${text.slice(0, 40)}`);
    }
  };
  walk(document);
  return [...found];
}
