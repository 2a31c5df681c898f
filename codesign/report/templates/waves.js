"use strict";
(() => {
  const data = JSON.parse(document.getElementById("waves-data").textContent);
  const viewer = document.getElementById("viewer");
  const find = (selector) => viewer.querySelector(selector);
  const stage = find("[data-stage]");
  const readout = find("[data-readout]");
  const picks = Object.fromEntries(
    ["clip", "layer", "unit"].map((name) => [name, find(`[data-pick=${name}]`)]),
  );
  const BLOCKS = { bias: "Bias", cells: "Recurrent cells", feedforward: "Feed-forward" };
  const NS = "http://www.w3.org/2000/svg";
  const LEFT = 46, RIGHT = 32;
  const frame = data.frame_s;
  const view = { clip: data.clips[0], layer: data.start[0], unit: data.start[1], from: 0, to: 1 };
  let geometry = null;

  // ---- numbers -------------------------------------------------------------------------------
  const PREFIX = { "-18": "a", "-15": "f", "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "" };
  const scale = (value) => {
    if (!value || !isFinite(value)) return [1, ""];
    const power = Math.max(-18, Math.min(0, 3 * Math.floor(Math.log10(Math.abs(value)) / 3)));
    return [10 ** -power, PREFIX[power]];
  };
  const format = (value, unit, digits = 3) => {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    const [factor, prefix] = scale(value);
    return `${(value * factor).toPrecision(digits)} ${prefix}${unit}`.replace("-", "−");
  };
  const ticks = (low, high, wanted) => {
    const raw = (high - low) / Math.max(1, wanted);
    const ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((n) => n * ten >= raw * 0.999) * ten;
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
      found.push(+(n * step).toPrecision(12));
    }
    return found;
  };

  // ---- data ----------------------------------------------------------------------------------
  const decoded = new Map();
  const trace = (clip, name) => {
    const packed = clip.traces[name];
    if (!packed) return null;
    const key = `${clip.sample}:${name}`;
    if (!decoded.has(key)) {
      const bytes = atob(packed[2]);
      const values = new Float64Array(bytes.length / 2);
      const span = (packed[1] - packed[0]) / 65535;
      for (let n = 0; n < values.length; n++) {
        const code = bytes.charCodeAt(2 * n) + 256 * bytes.charCodeAt(2 * n + 1);
        values[n] = packed[0] + code * span;
      }
      decoded.set(key, values);
    }
    return decoded.get(key);
  };
  // Extremes come in pairs that stand at the two ends of their bin; means at its middle.
  const timeAt = (clip, values, k) => {
    const pairs = values.length === 2 * clip.bins;
    const place = pairs ? (k >> 1) + (k & 1) : k + 0.5;
    return clip.t[0] + (place / clip.bins) * (clip.t[1] - clip.t[0]);
  };
  const at = (clip, values, time) => {
    const bin = ((time - clip.t[0]) / (clip.t[1] - clip.t[0])) * clip.bins;
    const whole = Math.max(0, Math.min(clip.bins - 1, Math.floor(bin)));
    if (values.length !== 2 * clip.bins) return values[whole];
    return values[2 * whole + (bin - whole > 0.5 ? 1 : 0)];
  };
  const cell = () => view.clip.cells[`${view.layer}.${view.unit}`] || { c: [], h: [], cc: [], ch: [], wrong: {} };
  const classStyle = (n) => ({ color: `var(--class${n % 8})`, dash: n < 8 ? "" : "7 3" });
  const amperes = (values) => values.map((v) => (v === null ? null : v * data.unit_a));

  const panels = () => {
    const name = `l${view.layer}.u${view.unit}_a`;
    const found = [
      {
        title: `Candidate, layer ${view.layer} unit ${view.unit}`, unit: "A", height: 150,
        lines: [{ label: "transistors", values: trace(view.clip, `candidate.${name}`),
          color: "var(--chip)" }],
        steps: [{ label: "twin", values: amperes(cell().c), color: "var(--twin)" }],
        dots: [{ values: amperes(cell().cc), color: "var(--chip)" }],
        strobe: data.strobes[view.layer],
        levels: (data.thresholds[`${view.layer}.${view.unit}`] || []).map((v, n) => ({
          label: n ? "β lo" : "β hi", value: v * data.unit_a,
        })),
        wrong: true,
      },
      {
        title: "State", unit: "A", height: 105,
        lines: [{ label: "transistors", values: trace(view.clip, `state.${name}`),
          color: "var(--chip)" }],
        steps: [{ label: "twin", values: amperes(cell().h), color: "var(--twin)" }],
        dots: [{ values: amperes(cell().ch), color: "var(--chip)" }],
        levels: [], wrong: true,
      },
      {
        title: "Logits", unit: "A", height: 160, levels: [],
        lines: data.classes.map((label, n) => ({ label,
          values: trace(view.clip, `logit.c${n}_a`), ...classStyle(n) })),
        steps: view.clip.logits.map((values, n) => ({ label: data.classes[n],
          values: amperes(values), color: classStyle(n).color })),
        dots: view.clip.sampled.map((values, n) => ({ values: amperes(values),
          color: classStyle(n).color })),
      },
      {
        title: "Power, stacked by block", unit: "W", height: 105, levels: [], stack: true,
        steps: [],
        lines: Object.entries(BLOCKS).map(([key, label]) => ({ label,
          values: trace(view.clip, `power.${key}_w`), color: `var(--${key})` })),
      },
    ];
    for (const panel of found) {
      panel.lines = panel.lines.filter((line) => line.values);
      if (panel.stack) {
        // Upper edges; `own` keeps the block's own value for the readout.
        let below = null;
        for (const line of panel.lines) {
          line.own = line.values;
          line.below = below;
          line.values = below ? line.own.map((v, n) => v + below[n]) : line.own;
          below = line.values;
        }
      }
    }
    return found.filter((panel) => panel.lines.length);
  };

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
      for (const level of panel.levels) {
        make("line", { x1: LEFT, x2: width - RIGHT, y1: y(level.value), y2: y(level.value),
          style: "stroke:var(--muted);stroke-dasharray:5 4" }, inside);
        make("text", { x: width - RIGHT + 4, y: y(level.value) + 4 }, svg, level.label);
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
      const dense = (width * frame) / (span[1] - span[0]) < 9;
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

  // ---- words ---------------------------------------------------------------------------------
  const say = (parts) => {
    readout.replaceChildren(...parts.map(([text, strong]) => {
      const node = document.createElement(strong ? "b" : "span");
      node.textContent = text;
      return node;
    }));
  };
  const describe = (time) => {
    const n = Math.max(0, Math.min(data.frames - 1, Math.floor(time / frame)));
    const parts = [[`${(time * 1e3).toFixed(2)} ms, frame ${n}. `, true]];
    for (const panel of geometry.shown.slice(0, 2)) {
      parts.push([`${panel.title.split(",")[0]}: ${format(at(view.clip, panel.lines[0].values, time), "A")}`
        + ` (twin ${format(panel.steps[0].values[n], "A")}). `]);
    }
    const power = geometry.shown.find((panel) => panel.stack);
    if (power) {
      const total = power.lines[power.lines.length - 1].values;
      parts.push([`Power: ${format(at(view.clip, total, time), "W")}. `]);
    }
    const cause = cell().wrong[n];
    if (cause) parts.push([`✗ State differs: ${cause}.`, true]);
    say(parts);
  };
  const facts = () => {
    const clip = view.clip;
    const verdict = clip.agree ? "✓ decided as the twin" : "✗ decided otherwise than the twin";
    const tie = clip.tie ? ", a near-tie" : "";
    const wrong = Object.values(clip.cells).reduce((sum, c) => sum + Object.keys(c.wrong).length, 0);
    find("[data-facts]").textContent =
      `${verdict}${tie}: label ${clip.label}, twin ${clip.twin}, transistors ${clip.chip}` +
      ` (twin margin ${clip.margin === null ? "–" : clip.margin} units). ` +
      `${wrong} ${wrong === 1 ? "state differs" : "states differ"} in the units shown.`;
  };
  const keys = () => {
    const entries = [["transistors", "var(--chip)", ""], ["twin", "var(--twin)", "wide"],
      ["compared here", "var(--chip)", "dot"],
      ...(data.strobes.length ? [["cell looks (strobe)", "var(--muted)", "box"]] : []),
      ...data.classes.map((name, n) => [`logit ${name}`, classStyle(n).color, classStyle(n).dash]),
      ...Object.entries(BLOCKS).map(([key, label]) => [label, `var(--${key})`, "box"])];
    find("[data-keys]").replaceChildren(...entries.map(([label, color, dash]) => {
      const item = document.createElement("li");
      if (dash === "box") {
        const swatch = document.createElement("i");
        swatch.style.background = color;
        item.append(swatch);
      } else {
        const svg = make("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, item);
        if (dash === "dot") make("circle", { cx: 12, cy: 5, r: 3.6, style: `fill:${color}` }, svg);
        else make("line", { x1: 1, x2: 23, y1: 5, y2: 5,
          style: dash === "wide" ? `stroke:${color};stroke-width:6;opacity:.45`
            : `stroke:${color};stroke-width:2.2;stroke-dasharray:${dash || "none"}` }, svg);
      }
      item.append(label);
      return item;
    }));
  };

  // ---- choosing ------------------------------------------------------------------------------
  const fill = (select, entries, chosen) => {
    select.replaceChildren(...entries.map(([value, label]) => new Option(label, value)));
    select.value = String(chosen);
  };
  const cellsOf = (clip) => Object.keys(clip.cells).map((key) => key.split(".").map(Number));
  const choose = () => {
    const cells = cellsOf(view.clip);
    const layers = [...new Set(cells.map(([layer]) => layer))];
    if (!layers.includes(view.layer)) view.layer = layers[0];
    const units = cells.filter(([layer]) => layer === view.layer).map(([, unit]) => unit);
    if (!units.includes(view.unit)) view.unit = units[0];
    fill(picks.layer, layers.map((n) => [n, n]), view.layer);
    fill(picks.unit, units.map((n) => {
      const wrong = Object.keys(view.clip.cells[`${view.layer}.${n}`].wrong).length;
      return [n, wrong ? `${n} (✗ ${wrong})` : n];
    }), view.unit);
    facts();
    say([["Point at the picture to read values.", false]]);
    draw();
  };
  fill(picks.clip, data.clips.map((clip, n) => {
    const wrong = Object.values(clip.cells).reduce((sum, c) => sum + Object.keys(c.wrong).length, 0);
    const note = clip.agree ? (clip.tie ? " · near-tie" : "") : " · ✗ decision differs";
    return [n, `${clip.id}${note}${wrong ? ` · ${wrong} ${wrong === 1 ? "state differs" : "states differ"}` : ""}`];
  }), 0);
  picks.clip.addEventListener("change", () => { view.clip = data.clips[+picks.clip.value]; choose(); });
  picks.layer.addEventListener("change", () => { view.layer = +picks.layer.value; choose(); });
  picks.unit.addEventListener("change", () => { view.unit = +picks.unit.value; choose(); });

  // ---- zooming -------------------------------------------------------------------------------
  const zoom = (from, to) => {
    const size = Math.min(1, Math.max(to - from, 0.5 / data.frames));
    view.from = Math.max(0, Math.min(1 - size, from));
    view.to = view.from + size;
    draw();
  };
  const around = (factor, centre = (view.from + view.to) / 2) =>
    zoom(centre - (centre - view.from) * factor, centre + (view.to - centre) * factor);
  const slide = (part) => {
    const step = part * (view.to - view.from);
    zoom(view.from + step, view.to + step);
  };
  const actions = { in: () => around(0.5), out: () => around(2), left: () => slide(-0.4),
    right: () => slide(0.4), all: () => zoom(0, 1) };
  for (const button of viewer.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => actions[button.dataset.zoom]());
  }
  stage.addEventListener("keydown", (event) => {
    const action = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right",
      0: "all" }[event.key];
    if (action) { event.preventDefault(); actions[action](); }
  });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    around(event.deltaY > 0 ? 1.25 : 0.8, geometry.time(place(event)) / (data.frames * frame));
  }, { passive: false });
  stage.addEventListener("dblclick", () => zoom(0, 1));

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * geometry.width;
  };
  const pointers = new Map();
  let grip = null;
  const part = (px) => geometry.time(px) / (data.frames * frame);
  stage.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    // Synthetic and already released pointers cannot be captured; dragging then ends at the edge.
    try { stage.setPointerCapture(event.pointerId); } catch (error) { /* nothing to do */ }
    grip = { from: view.from, to: view.to, places: [...pointers.values()],
      parts: [...pointers.values()].map(part) };
  });
  stage.addEventListener("pointermove", (event) => {
    const px = place(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, px);
    const { cursor, brush, width } = geometry;
    const held = [...pointers.values()];
    if (held.length === 2 && grip.parts.length === 2) {
      const width01 = (width - LEFT - RIGHT);
      const size = Math.abs((grip.parts[1] - grip.parts[0]) / ((held[1] - held[0]) / width01 || 1));
      const from = grip.parts[0] - ((held[0] - LEFT) / width01) * size;
      zoom(from, from + size);
    } else if (held.length === 1 && event.pointerType === "touch") {
      const moved = ((grip.places[0] - px) / (width - LEFT - RIGHT)) * (grip.to - grip.from);
      zoom(grip.from + moved, grip.to + moved);
    } else if (held.length === 1) {
      brush.setAttribute("x", Math.min(px, grip.places[0]));
      brush.setAttribute("width", Math.abs(px - grip.places[0]));
      brush.style.display = "";
    }
    const time = geometry.time(px);
    if (time >= geometry.span[0] && time <= geometry.span[1]) {
      geometry.cursor.setAttribute("x1", px);
      geometry.cursor.setAttribute("x2", px);
      geometry.cursor.style.display = "";
      describe(time);
    } else {
      cursor.style.display = "none";
    }
  });
  const release = (event) => {
    const px = place(event);
    if (grip && pointers.size === 1 && event.type === "pointerup" && event.pointerType !== "touch"
        && Math.abs(px - grip.places[0]) > 6) {
      const edges = [part(px), grip.parts[0]].sort((a, b) => a - b);
      zoom(edges[0], edges[1]);
    }
    geometry.brush.style.display = "none";
    pointers.delete(event.pointerId);
    grip = pointers.size ? { from: view.from, to: view.to, places: [...pointers.values()],
      parts: [...pointers.values()].map(part) } : null;
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => { geometry.cursor.style.display = "none"; });

  keys();
  choose();
  new ResizeObserver(() => {
    if (geometry && Math.abs(stage.clientWidth - geometry.width) > 1) draw();
  }).observe(stage);
})();
