// Waveform viewer, 2 of 3: panels as SVG.
// ---- drawing -------------------------------------------------------------------------------
const make = (name, attributes, parent, content) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (content !== undefined) element.textContent = content;
  parent.append(element);
  return element;
};
const range = (panel) => {
  let low = 0, high = -Infinity;
  const see = (v) => {
    if (v !== null && isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  };
  if (panel.stack) {
    // Needles at frame edges would flatten the rest: the axis follows the bulk.
    const sorted = [...panel.lines[panel.lines.length - 1].values].sort((a, b) => a - b);
    return [0, 1.15 * (sorted[Math.floor(0.995 * (sorted.length - 1))] || 1e-12)];
  }
  for (const line of panel.lines) line.values.forEach(see);
  for (const step of panel.steps) step.values.forEach(see);
  for (const dots of panel.dots || []) dots.values.forEach(see);
  for (const level of panel.levels) see(level.value);
  if (!(high > low)) high = low + (data.unit_a || 1);
  return [low - 0.04 * (high - low), high + 0.1 * (high - low)];
};
const linePath = (values, x, y, span) => {
  const n = values.length;
  const time = (k) => timeAt(view.clip, values, k);
  const first = 2 * Math.max(0, Math.floor(((span[0] - view.clip.t[0]) /
    (view.clip.t[1] - view.clip.t[0])) * (n / 2)) - 1);
  const points = [];
  for (let k = first; k < n && (points.length < 2 || time(k - 1) <= span[1]); k++) {
    points.push(`${x(time(k)).toFixed(1)} ${y(values[k]).toFixed(1)}`);
  }
  return points;
};
const stepPath = (values, x, y, span) => {
  let path = "", pen = false;
  values.forEach((value, n) => {
    const start = n * frame, stop = (n + 1) * frame;
    if (value === null || stop < span[0] || start > span[1]) { pen = false; return; }
    path += `${pen ? "L" : "M"}${x(start).toFixed(1)} ${y(value).toFixed(1)}H${x(stop).toFixed(1)}`;
    pen = true;
  });
  return path;
};

const draw = () => {
  const width = Math.max(280, stage.clientWidth);
  const span = [view.from * data.frames * frame, view.to * data.frames * frame];
  const x = (t) => LEFT + ((t - span[0]) / (span[1] - span[0])) * (width - LEFT - RIGHT);
  const shown = panels();
  const gap = 30;
  const height = shown.reduce((sum, panel) => sum + panel.height + gap, 0) + 38;
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Waveforms of clip ${view.clip.id}`);
  const defs = make("defs", {}, svg);
  const hatch = make("pattern", { id: "hatch", width: 6, height: 6,
    patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, defs);
  make("line", { x1: 0, y1: 0, x2: 0, y2: 6, style: "stroke:var(--bad);stroke-width:1.6;opacity:.5" },
    hatch);
  let top = 22;
  const frames = ticks(span[0] / frame, span[1] / frame, Math.min(width / 26, data.frames))
    .filter((n) => Number.isInteger(n));
  for (const [index, panel] of shown.entries()) {
    const [low, high] = range(panel);
    const bottom = top + panel.height;
    const y = (v) => bottom - ((v - low) / (high - low)) * panel.height;
    const clipping = make("clipPath", { id: `clip-${index}` }, defs);
    make("rect", { x: LEFT, y: top - 1, width: width - LEFT - RIGHT, height: panel.height + 2 },
      clipping);
    const [factor, prefix] = scale(Math.max(Math.abs(low), high));
    make("text", { x: LEFT, y: top - 8, class: "title" }, svg,
      `${panel.title} (${prefix}${panel.unit})`);
    for (const n of frames) {
      make("line", { x1: x(n * frame), x2: x(n * frame), y1: top, y2: bottom,
        style: "stroke:var(--rule);stroke-width:1" }, svg);
    }
    for (const tick of ticks(low * factor, high * factor, panel.height / 38)) {
      const level = y(tick / factor);
      make("line", { x1: LEFT, x2: width - RIGHT, y1: level, y2: level,
        style: "stroke:var(--rule);stroke-width:.7" }, svg);
      make("text", { x: LEFT - 6, y: level + 4, "text-anchor": "end" }, svg,
        String(tick).replace("-", "−"));
    }
    const inside = make("g", { "clip-path": `url(#clip-${index})` }, svg);
    if (panel.wrong) {
      for (const [n, cause] of Object.entries(cell().wrong)) {
        const left = x(n * frame);
        const box = make("rect", { x: left, y: top, width: x((+n + 1) * frame) - left,
          height: panel.height, fill: "url(#hatch)" }, inside);
        make("title", {}, box, `frame ${n}: ${cause}`);
      }
    }
    let free = -Infinity;
    for (const level of [...panel.levels].sort((one, other) => other.value - one.value)) {
      make("line", { x1: LEFT, x2: width - RIGHT, y1: y(level.value), y2: y(level.value),
        style: "stroke:var(--muted);stroke-dasharray:5 4" }, inside);
      // Labels of thresholds that nearly coincide stand below one another.
      free = Math.max(y(level.value) + 4, free + 13);
      make("text", { x: width - RIGHT + 4, y: free }, svg, level.label);
    }
    for (const step of panel.steps) {
      make("path", { d: stepPath(step.values, x, y, span) || "M0 0", style:
        `fill:none;stroke:${step.color};stroke-width:5;stroke-linejoin:round;opacity:.38` }, inside);
    }
    for (const line of [...panel.lines].reverse()) {
      const points = linePath(line.values, x, y, span);
      if (!points.length) continue;
      if (panel.stack) {
        const base = line.below ? linePath(line.below, x, y, span)
          : [points[0], points[points.length - 1]].map((p) => `${p.split(" ")[0]} ${bottom}`);
        make("path", { d: `M${points.join("L")}L${base.reverse().join("L")}Z`,
          style: `fill:${line.color};opacity:.85` }, inside);
      } else {
        make("path", { d: `M${points.join("L")}`, style: `fill:none;stroke:${line.color};` +
          `stroke-width:1.6;stroke-linejoin:round;stroke-dasharray:${line.dash || "none"}` }, inside);
      }
    }
    const dense = (width * frame) / (span[1] - span[0]) < 18;
    for (const dots of dense ? [] : panel.dots || []) {
      dots.values.forEach((value, n) => {
        const time = (n + data.sample_at) * frame;
        if (value === null || time < span[0] || time > span[1]) return;
        make("circle", { cx: x(time).toFixed(1), cy: y(value).toFixed(1), r: 3.2,
          style: `fill:${dots.color};stroke:var(--page);stroke-width:1` }, inside);
      });
    }
    for (let n = 0; panel.strobe && !dense && n < data.frames; n++) {
      make("rect", { x: x((n + panel.strobe[0]) * frame), y: bottom - 5, height: 5,
        width: x(panel.strobe[1] * frame) - x(panel.strobe[0] * frame),
        style: "fill:var(--muted);opacity:.5" }, inside);
    }
    make("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom,
      style: "stroke:var(--muted);stroke-width:.8" }, svg);
    top = bottom + gap;
  }
  const axis = top - gap;
  for (const t of ticks(span[0] * 1e3, span[1] * 1e3, (width - LEFT) / 72)) {
    make("text", { x: x(t / 1e3), y: axis + 16, "text-anchor": "middle" }, svg, String(t));
  }
  make("text", { x: width - RIGHT, y: axis + 32, "text-anchor": "end" }, svg,
    "time (ms); vertical lines: frames");
  const cursor = make("line", { y1: 14, y2: axis, style:
    "stroke:var(--ink);stroke-width:1;display:none" }, svg);
  const brush = make("rect", { y: 14, height: axis - 14, width: 0,
    style: "fill:var(--chip);opacity:.16;display:none" }, svg);
  stage.replaceChildren(svg);
  geometry = { width, span, shown, cursor, brush, x,
    time: (px) => span[0] + ((px - LEFT) / (width - LEFT - RIGHT)) * (span[1] - span[0]) };
};
