// Viewer of clips from input to decision, 2 of 2: words, choosing, zooming.
const picks = Object.fromEntries(
  ["clip", "layer", "unit"].map((name) => [name, find(`[data-pick=${name}]`)]),
);
const readout = find("[data-readout]");
const HINT = "Point at the picture to read values; click a row of states to choose its unit.";
const fill = (select, entries, chosen) => {
  select.replaceChildren(...entries.map(([value, label]) => new Option(label, value)));
  select.value = String(chosen);
};
const WORDS = ["off", "on, candidate above β hi", "on from memory alone"];

const describe = (part) => {
  const clip = view.clip, n = Math.min(clip.frames - 1, Math.floor(part * clip.frames));
  const heat = clip.layers[view.layer], panel = geometry.shown[geometry.shown.length - 2];
  const state = heat.shades ? WORDS[bytesOf(heat.data)[view.unit * clip.frames + n]]
    : show(panel.lines[0].values[n]);
  const candidate = panel.lines[1] ? `, candidate ${show(panel.lines[1].values[n])}` : "";
  const logits = geometry.shown[geometry.shown.length - 1].lines
    .map((line, k) => [line.values[n], data.classes[k]]).sort((one, other) => other[0] - one[0])
    .slice(0, 3).map(([value, name]) => `${name} ${show(value)}`);
  readout.textContent = `Frame ${n + clip.first}. Unit ${unitKey()}: ${state}${candidate}. ` +
    `Logits: ${logits.join(", ")}.`;
};
const choose = () => {
  const clip = view.clip;
  view.layer = Math.min(view.layer, clip.layers.length - 1);
  view.unit = Math.min(view.unit, clip.layers[view.layer].rows - 1);
  fill(picks.layer, clip.layers.map((_, n) => [n, n]), view.layer);
  fill(picks.unit, Array.from({ length: clip.layers[view.layer].rows }, (_, n) => [n, n]), view.unit);
  find("[data-facts]").textContent = clip.said;
  readout.textContent = HINT;
  draw();
};
const busiest = (clip) => {
  // The unit whose state changes most is the one worth showing first.
  let best = [-1, 0, 0];
  clip.layers.forEach((heat, layer) => {
    const bytes = bytesOf(heat.data);
    for (let row = 0; row < heat.rows; row++) {
      let changes = 0;
      for (let n = 1; n < clip.frames; n++) {
        const at = row * clip.frames + n;
        changes += heat.shades ? (bytes[at] > 0) !== (bytes[at - 1] > 0) : Math.abs(bytes[at] - bytes[at - 1]);
      }
      if (changes > best[0]) best = [changes, layer, row];
    }
  });
  return best.slice(1);
};
fill(picks.clip, data.clips.map((clip, n) => [n, clip.name]), 0);
picks.clip.addEventListener("change", () => { view.clip = data.clips[+picks.clip.value]; choose(); });
picks.layer.addEventListener("change", () => { view.layer = +picks.layer.value; choose(); });
picks.unit.addEventListener("change", () => { view.unit = +picks.unit.value; choose(); });
zooming({
  stage, view, draw, left: LEFT, right: RIGHT, buttons: viewer.querySelectorAll("[data-zoom]"),
  smallest: () => Math.min(1, 2 / view.clip.frames), geometry: () => geometry, point: describe,
  leave: () => { readout.textContent = HINT; },
});
stage.addEventListener("click", (event) => {
  const box = stage.getBoundingClientRect();
  const y = ((event.clientY - box.top) / box.width) * geometry.width;
  const panel = geometry.shown.find((one) => one.heat && one.layer !== undefined &&
    y >= one.top && y < one.top + one.height);
  if (!panel) return;
  view.layer = panel.layer;
  view.unit = Math.floor(((y - panel.top) / panel.height) * panel.heat.rows);
  choose();
});

const entries = [...(data.bistable
  ? [["on from memory alone", "var(--cells)", 9, 1], ["on, candidate above β hi", "var(--cells)", 9, 0.32]]
  : [["state above 0", "var(--chip)", 9, 1], ["state below 0", "var(--twin)", 9, 1]]),
["candidate", "var(--chip)", 2, 1], ["state", "var(--cells)", 6, 0.4],
...data.classes.slice(0, 12).map((name, n) => [`logit ${name}`, classStyle(n).color, 2, 1])];
find("[data-keys]").replaceChildren(...entries.map(([label, color, size, opacity]) => {
  const item = document.createElement("li");
  const svg = make("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, item);
  make("line", { x1: 1, x2: 23, y1: 5, y2: 5,
    style: `stroke:${color};stroke-width:${size};opacity:${opacity}` }, svg);
  item.append(label);
  return item;
}));
[view.layer, view.unit] = busiest(view.clip);
choose();
new ResizeObserver(() => {
  if (geometry && Math.abs(stage.clientWidth - geometry.width) > 1) draw();
}).observe(stage);
