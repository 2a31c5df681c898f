// Waveform viewer, 3 of 3: words, choices, zooming.
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
