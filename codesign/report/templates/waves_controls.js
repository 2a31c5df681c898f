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
zooming({
  stage, view, draw, left: LEFT, right: RIGHT, buttons: viewer.querySelectorAll("[data-zoom]"),
  smallest: () => 0.5 / data.frames, geometry: () => geometry,
  point: (part) => describe(part * data.frames * frame),
});

keys();
choose();
new ResizeObserver(() => {
  if (geometry && Math.abs(stage.clientWidth - geometry.width) > 1) draw();
}).observe(stage);
