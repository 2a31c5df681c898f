// Viewer of clips from input to decision, 1 of 2: data and drawing.
const data = JSON.parse(document.getElementById("course-data").textContent);
const viewer = document.getElementById("course");
const find = (selector) => viewer.querySelector(selector);
const stage = find("[data-stage]");
const NS = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 34, GAP = 30;
const view = { clip: data.clips[0], layer: 0, unit: 0, from: 0, to: 1 };
let geometry = null;

const make = (name, attributes, parent, text) => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};
const show = (value) => (Math.abs(value) < 5e-4 ? "0" : value.toPrecision(3)).replace("-", "−");

// ---- data ----------------------------------------------------------------------------------
const decoded = new Map();
const bytesOf = (text) => {
  if (!decoded.has(text)) {
    decoded.set(text, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  }
  return decoded.get(text);
};
const values = (packed) => {
  const [low, high, text] = packed, bytes = bytesOf(text);
  return Array.from({ length: bytes.length / 2 }, (_, n) =>
    low + ((high - low) * (bytes[2 * n] + 256 * bytes[2 * n + 1])) / 65535);
};
const heatAt = (heat, row, frame) =>
  heat.low + ((heat.high - heat.low) * bytesOf(heat.data)[row * view.clip.frames + frame]) / 255;
const unitKey = () => `${view.layer}.${view.unit}`;
const classStyle = (n) => ({ color: `var(--class${n % 8})`, dash: n < 8 ? "none" : "5 3" });

// ---- drawing -------------------------------------------------------------------------------
// A heat map is one colour of the page behind a mask, so that it follows light and dark.
let masks = 0;
const heatMap = (svg, defs, heat, strength, color, box, first, count) => {
  const canvas = document.createElement("canvas");
  canvas.width = count;
  canvas.height = heat.rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(count, heat.rows);
  const bytes = bytesOf(heat.data);
  for (let row = 0; row < heat.rows; row++) {
    for (let n = 0; n < count; n++) {
      const at = 4 * (row * count + n);
      image.data[at] = image.data[at + 1] = image.data[at + 2] = 255;
      image.data[at + 3] = 255 * strength(bytes[row * view.clip.frames + first + n]);
    }
  }
  context.putImageData(image, 0, 0);
  const id = `course-mask-${masks++}`;
  const mask = make("mask", { id, maskUnits: "userSpaceOnUse", ...box }, defs);
  make("image", { ...box, href: canvas.toDataURL(), preserveAspectRatio: "none",
    style: "image-rendering:pixelated" }, mask);
  make("rect", { ...box, mask: `url(#${id})`, style: `fill:var(--${color})` }, svg);
};
const STATES = [0, 0.32, 1];
const layersOf = (heat) => heat.shades
  ? [["cells", (byte) => STATES[byte]]]
  : [["chip", (byte) => Math.max(0, (byte - 128) / 127)],
    ["twin", (byte) => Math.max(0, (128 - byte) / 128)]];

const panels = () => {
  const clip = view.clip, key = unitKey();
  const found = [{ title: "Input lines", heat: clip.inputs, maps: [["ink", (byte) => byte / 255]],
    height: Math.min(140, Math.max(48, 9 * clip.inputs.rows)) }];
  clip.layers.forEach((heat, layer) => found.push({ title: `States, layer ${layer}`, heat, layer,
    maps: layersOf(heat), height: Math.min(230, Math.max(48, 10 * heat.rows)) }));
  const lines = [];
  if (clip.candidates[key]) {
    lines.push({ values: values(clip.candidates[key]), color: "var(--chip)", dash: "none" });
  }
  const state = { values: clip.layers[view.layer].shades
    ? [...bytesOf(clip.layers[view.layer].data)].slice(view.unit * clip.frames,
      (view.unit + 1) * clip.frames).map((shade) => (shade ? data.alpha[key] : 0))
    : values(clip.states[key]), color: "var(--cells)", dash: "none", wide: true };
  const levels = data.thresholds[key]
    ? [["β hi", data.thresholds[key][0]], ["β lo", data.thresholds[key][1]]] : [];
  found.push({ title: `Unit ${key}: candidate and state (units)`, lines: [state, ...lines], levels,
    height: 120 });
  found.push({ title: "Logits (units)", height: 140, levels: [], logits: true,
    lines: clip.logits.map((packed, n) => ({ values: values(packed), ...classStyle(n) })),
    dots: clip.compared });
  return found;
};
const range = (panel) => {
  const every = [0, ...panel.levels.map(([, value]) => value), ...(panel.dots || [])];
  for (const line of panel.lines) for (const value of line.values) every.push(value);
  let low = 0, high = 0;
  for (const value of every) { low = Math.min(low, value); high = Math.max(high, value); }
  const room = 0.06 * (high - low || 1);
  return [low < 0 ? low - room : 0, high + room];
};

const draw = () => {
  const width = Math.max(280, stage.clientWidth), frames = view.clip.frames;
  const first = Math.floor(view.from * frames), last = Math.min(frames, Math.ceil(view.to * frames));
  const x = (n) => LEFT + ((n / frames - view.from) / (view.to - view.from)) * (width - LEFT - RIGHT);
  const shown = panels();
  const height = shown.reduce((sum, panel) => sum + panel.height + GAP, 0) + 38;
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Inputs, states and logits of clip ${view.clip.id}`);
  const defs = make("defs", {}, svg);
  const marks = ticks(view.from * frames, view.to * frames, Math.min((width - LEFT) / 60, frames))
    .filter((n) => Number.isInteger(n));
  masks = 0;
  let top = 22;
  shown.forEach((panel, index) => {
    const bottom = top + panel.height;
    make("text", { x: LEFT, y: top - 8, class: "title" }, svg, panel.title);
    const clipping = make("clipPath", { id: `course-clip-${index}` }, defs);
    make("rect", { x: LEFT, y: top - 1, width: width - LEFT - RIGHT, height: panel.height + 2 },
      clipping);
    const inside = make("g", { "clip-path": `url(#course-clip-${index})` }, svg);
    if (panel.heat) {
      make("rect", { x: LEFT, y: top, width: width - LEFT - RIGHT, height: panel.height,
        style: "fill:var(--panel)" }, inside);
      const box = { x: x(first), y: top, width: x(last) - x(first), height: panel.height };
      for (const [color, strength] of panel.maps) {
        heatMap(inside, defs, panel.heat, strength, color, box, first, last - first);
      }
      const row = panel.height / panel.heat.rows;
      for (let n = 1; panel.layer !== undefined && row >= 6 && n < panel.heat.rows; n++) {
        make("line", { x1: LEFT, x2: width - RIGHT, y1: top + n * row, y2: top + n * row,
          style: "stroke:var(--page);stroke-width:1.5" }, inside);
      }
      if (panel.layer === view.layer) {
        const middle = top + (view.unit + 0.5) * row;
        make("path", { d: `M${LEFT - 11} ${middle - 5}L${LEFT - 3} ${middle}L${LEFT - 11} ${middle + 5}Z`,
          style: "fill:var(--ink)" }, svg);
      }
    } else {
      const [low, high] = range(panel);
      const y = (value) => bottom - ((value - low) / (high - low)) * panel.height;
      for (const tick of ticks(low, high, panel.height / 22)) {
        make("line", { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick),
          style: "stroke:var(--rule);stroke-width:.7" }, svg);
        make("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, svg,
          String(tick).replace("-", "−"));
      }
      let free = -Infinity;
      for (const [word, value] of panel.levels) {
        make("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value),
          style: "stroke:var(--muted);stroke-dasharray:5 4" }, inside);
        free = Math.max(y(value) + 4, free + 13);
        make("text", { x: width - RIGHT + 4, y: free }, svg, word);
      }
      for (const line of panel.lines) {
        let path = "";
        for (let n = first; n < last; n++) {
          const level = y(line.values[n]).toFixed(1);
          path += `${path ? "L" : "M"}${x(n).toFixed(1)} ${level}H${x(n + 1).toFixed(1)}`;
        }
        make("path", { d: path || "M0 0", style: `fill:none;stroke:${line.color};stroke-linejoin:round;` +
          (line.wide ? "stroke-width:5;opacity:.4" : `stroke-width:1.6;stroke-dasharray:${line.dash}`) },
          inside);
      }
      (panel.dots || []).forEach((value, n) => {
        make("circle", { cx: width - RIGHT + 9, cy: y(value), r: 4,
          style: `fill:${classStyle(n).color}` }, svg);
        if (n === view.clip.decision) make("circle", { cx: width - RIGHT + 9, cy: y(value), r: 7.5,
          style: "fill:none;stroke:var(--ink);stroke-width:1.4" }, svg);
      });
    }
    make("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom,
      style: "stroke:var(--muted);stroke-width:.8" }, svg);
    panel.top = top;
    top = bottom + GAP;
  });
  const axis = top - GAP;
  for (const n of marks) {
    make("text", { x: x(n), y: axis + 16, "text-anchor": "middle" }, svg, String(n + view.clip.first));
  }
  make("text", { x: width - RIGHT, y: axis + 32, "text-anchor": "end" }, svg, "frame");
  const cursor = make("line", { y1: 14, y2: axis, style:
    "stroke:var(--ink);stroke-width:1;display:none" }, svg);
  const brush = make("rect", { y: 14, height: axis - 14, width: 0,
    style: "fill:var(--chip);opacity:.16;display:none" }, svg);
  stage.replaceChildren(svg);
  geometry = { width, height, shown, cursor, brush };
};
