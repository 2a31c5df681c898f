// Viewer of disagreements, 1 of 2: data, the map, the waveform. The two files are one scope.
const data = JSON.parse(document.getElementById("roots-data").textContent);
const viewer = document.getElementById("roots");
const find = (selector) => viewer.querySelector(selector);
const stage = find("[data-stage]");
const NS = "http://www.w3.org/2000/svg";
const view = { shown: data.roots, at: 0 };
const root = () => view.shown[view.at];
const roleOf = (cause) => `var(--${(data.causes[cause] || { role: "muted" }).role})`;

const make = (name, attributes, parent, content) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (content !== undefined) element.textContent = content;
  if (parent) parent.append(element);
  return element;
};
const number = (value, digits = 3) =>
  value === null || !isFinite(value) ? "–" : value.toFixed(digits).replace("-", "−");
const decode = (packed) => {
  const bytes = atob(packed[2]);
  const span = (packed[1] - packed[0]) / 65535;
  return Float64Array.from({ length: bytes.length / 2 }, (_, n) =>
    packed[0] + (bytes.charCodeAt(2 * n) + 256 * bytes.charCodeAt(2 * n + 1)) * span);
};

// ---- map -----------------------------------------------------------------------------------
const began = new Map();
for (const item of data.roots) {
  const key = item.at.join(".");
  began.set(key, [...(began.get(key) || []), item]);
}
const drawMap = () => {
  const place = find("[data-map]");
  const rows = data.layers * data.units, left = 34;
  const width = Math.max(280, place.clientWidth);
  const wide = Math.max(9, Math.min(64, (width - left - 4) / data.frames));
  const tall = Math.max(13, Math.min(20, wide));
  const svg = make("svg", { width: left + wide * data.frames + 2, height: rows * tall + 24,
    role: "group", "aria-label": "Map of states that differ: places that can be chosen are buttons" });
  const top = Math.max(1, ...data.places.map(([, , , count]) => count));
  for (let row = 0; row < rows; row++) {
    const unit = row % data.units;
    make("rect", { x: left, y: row * tall, width: wide * data.frames, height: tall - 1,
      style: "fill:var(--panel)" }, svg);
    if (tall > 14 || unit % 2 === 0) {
      make("text", { x: left - 5, y: row * tall + tall * 0.72, "text-anchor": "end" }, svg,
        `${Math.floor(row / data.units)}.${unit}`);
    }
  }
  for (let layer = 1; layer < data.layers; layer++) {
    const y = layer * data.units * tall - 0.5;
    make("line", { x1: 0, x2: left + wide * data.frames, y1: y, y2: y,
      style: "stroke:var(--muted)" }, svg);
  }
  for (const frame of ticks(0, data.frames - 1, Math.min(data.frames, width / 40))) {
    if (Number.isInteger(frame)) make("text", { x: left + (frame + 0.5) * wide, y: rows * tall + 15,
      "text-anchor": "middle" }, svg, frame);
  }
  for (const [layer, unit, frame, count] of data.places) {
    const items = began.get(`${layer}.${unit}.${frame}`);
    const said = `layer ${layer} unit ${unit}, frame ${frame}: ${count} ` +
      `${count === 1 ? "state differs" : "states differ"}`;
    const box = make("g", items ? { class: "began", tabindex: 0, role: "button",
      "data-key": `${layer}.${unit}.${frame}`, "aria-label": `${said}, ${items.length} began here` }
      : {}, svg);
    make("title", {}, box, items ? `${said}; ${items.length} began here` : said);
    const x = left + frame * wide, y = (layer * data.units + unit) * tall;
    make("rect", { x: x + 1, y: y + 0.5, width: wide - 2, height: tall - 2, rx: 2,
      style: `fill:var(--bad);fill-opacity:${(0.15 + (0.75 * count) / top).toFixed(2)};` +
        (items ? "stroke:var(--bad)" : "") }, box);
    if (wide > 18) make("text", { x: x + wide / 2, y: y + tall * 0.72, "text-anchor": "middle",
      style: "fill:var(--ink)" }, box, count);
  }
  place.replaceChildren(svg);
  mark();
};
const mark = () => {
  const key = root() ? root().at.join(".") : "";
  for (const box of viewer.querySelectorAll(".began")) {
    box.classList.toggle("chosen", box.dataset.key === key);
  }
};

// ---- waveform ------------------------------------------------------------------------------
let geometry = null;
const panelsOf = (item) => {
  const key = `${item.at[0]}.${item.at[1]}`;
  const [high, low] = data.thresholds[key] || [null, null];
  const alpha = data.alphas[key];
  const wave = item.wave;
  return [
    { title: "Candidate (units)", height: 190, unit: "units", values: decode(wave.c),
      color: "var(--chip)", twin: item.twin[0], dot: item.chipc[0],
      levels: [["β hi", high], ["β lo", low]].filter(([, value]) => value !== null),
      band: item.was ? low : high },
    { title: "Decision node v0 (V)", height: 90, unit: "V", values: decode(wave.v),
      color: "var(--feedforward)", levels: [], from: 0, to: data.supply_v },
    { title: "State (units)", height: 100, unit: "units", values: decode(wave.h),
      color: "var(--cells)", zero: 0, twin: alpha === undefined ? null : item.twin[1] ? alpha : 0,
      dot: item.chipc[1], levels: alpha === undefined ? [] : [["α/2", alpha / 2]] },
  ];
};
const extent = (panel, item) => {
  const seen = [...panel.values, panel.from, panel.to, panel.twin, panel.dot,
    ...panel.levels.map(([, value]) => value), panel.zero].filter((v) => v !== undefined && v !== null);
  const low = Math.min(...seen), high = Math.max(...seen);
  const room = (high - low || 0.1) * 0.08;
  return [low - room, high + room];
};
const drawWave = () => {
  const item = root();
  geometry = null;
  if (!item || !item.wave) {
    const said = document.createElement("p");
    said.className = "empty";
    said.textContent = item ? "No waveform was kept of this sample." : "";
    stage.replaceChildren(said);
    return;
  }
  const width = Math.max(280, stage.clientWidth), left = 46, right = 38;
  const panels = panelsOf(item), gap = 32;
  const [t0, t1] = item.wave.t;
  const x = (t) => left + ((t - t0) / (t1 + 0.01 - t0)) * (width - left - right);
  const svg = make("svg", { viewBox: `0 0 ${width} ${panels.reduce((sum, p) => sum + p.height + gap, 0) + 36}`,
    role: "img", "aria-label": `Waveform of disagreement ${item.n}: ${item.cause}` });
  let top = 22;
  const window01 = data.windows[item.at[0]];
  for (const panel of panels) {
    const [low, high] = extent(panel, item), bottom = top + panel.height;
    const y = (v) => bottom - ((v - low) / (high - low)) * panel.height;
    if (window01) make("rect", { x: x(window01[0]), y: top, height: panel.height,
      width: x(Math.min(window01[1], t1)) - x(window01[0]), style: "fill:var(--rule);opacity:.55" }, svg);
    make("text", { x: left, y: top - 8, class: "title" }, svg, panel.title);
    for (const tick of ticks(low, high, panel.height / 36)) {
      make("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick),
        style: "stroke:var(--rule);stroke-width:.7" }, svg);
      make("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, svg,
        String(tick).replace("-", "−"));
    }
    if (t0 < 0) make("line", { x1: x(0), x2: x(0), y1: top, y2: bottom,
      style: "stroke:var(--muted);stroke-width:.8" }, svg);
    if (panel.band !== undefined && panel.band !== null) {
      make("rect", { x: left, width: width - left - right, y: y(panel.band + item.spread),
        height: Math.max(1, y(panel.band - item.spread) - y(panel.band + item.spread)),
        style: "fill:var(--bad);opacity:.13" }, svg);
    }
    let free = -Infinity;
    for (const [label, value] of [...panel.levels].sort((a, b) => b[1] - a[1])) {
      make("line", { x1: left, x2: width - right, y1: y(value), y2: y(value),
        style: "stroke:var(--muted);stroke-dasharray:5 4" }, svg);
      free = Math.max(y(value) + 4, free + 13);
      make("text", { x: width - right + 4, y: free }, svg, label);
    }
    if (panel.twin !== undefined && panel.twin !== null) make("line", { x1: x(Math.max(0, t0)),
      x2: x(t1), y1: y(panel.twin), y2: y(panel.twin),
      style: "stroke:var(--twin);stroke-width:5;opacity:.4" }, svg);
    // Extremes come in pairs that stand at the two ends of their bin.
    const time = (k) => t0 + (((k >> 1) + (k & 1)) / data.bins) * (t1 - t0);
    const points = [...panel.values].map((v, k) => `${x(time(k)).toFixed(1)} ${y(v).toFixed(1)}`);
    make("path", { d: `M${points.join("L")}`,
      style: `fill:none;stroke:${panel.color};stroke-width:1.7;stroke-linejoin:round` }, svg);
    if (panel.dot !== undefined) make("circle", { cx: x(t1), cy: y(panel.dot), r: 3.6,
      style: `fill:${panel.color};stroke:var(--page)` }, svg);
    make("line", { x1: left, x2: width - right, y1: bottom, y2: bottom,
      style: "stroke:var(--muted);stroke-width:.8" }, svg);
    top = bottom + gap;
  }
  for (const t of ticks(t0, t1, width / 90)) {
    make("text", { x: x(t), y: top - gap + 16, "text-anchor": "middle" }, svg,
      String(t).replace("-", "−"));
  }
  make("text", { x: width - right, y: top - gap + 33, "text-anchor": "end" }, svg,
    `part of frame ${item.at[2]}; the shaded window is when the cell looks`);
  const cursor = make("line", { y1: 14, y2: top - gap, style: "stroke:var(--ink);display:none" }, svg);
  stage.replaceChildren(svg);
  geometry = { panels, width, cursor, time: (px) => t0 + ((px - left) / (width - left - right)) *
    (t1 + 0.01 - t0), t0, t1 };
};
