// Viewer of disagreements, 2 of 2: words, choosing by map, table, lists and keys.
const picks = { cause: find("[data-pick=cause]"), root: find("[data-pick=root]") };
const readout = find("[data-readout]");
const HINT = "Point at the picture to read values. Arrow keys show the next and the one before.";
const placeOf = ([layer, unit, frame]) => `${layer}.${unit} frame ${frame}`;

const describe = () => {
  const item = root();
  if (!item) { find("[data-facts]").textContent = "None of this cause."; return; }
  const chip = item.chip === null ? "" : `, chip ${item.chip}`;
  const name = document.createElement("b");
  name.textContent = `${item.cause}: `;
  name.style.color = roleOf(item.cause);
  const follow = item.states === 1 ? "Nothing else differs because of it"
    : `${item.states} states differ because of it`;
  find("[data-facts]").replaceChildren(name, `${item.why}. Clip ${item.clip}${chip}, layer ` +
    `${item.at[0]} unit ${item.at[1]}, frame ${item.at[2]}; twin ${item.twin[1] ? "on" : "off"}, ` +
    `transistors ${item.twin[1] ? "off" : "on"}. ${follow}` +
    `${item.decision ? ", and the decision differs" : ""}.`);
};
const show = () => {
  picks.root.value = String(view.at);
  describe();
  readout.textContent = HINT;
  drawWave();
  mark();
  const number_ = root() ? String(root().n) : "";
  for (const button of document.querySelectorAll("button.show")) {
    button.closest("tr").classList.toggle("chosen", button.dataset.root === number_);
  }
};
const list = () => {
  picks.root.replaceChildren(...view.shown.map((item, k) =>
    new Option(`${item.n}: ${placeOf(item.at)}, ${item.cause}, ${item.clip}`, k)));
};
const only = (cause) => {
  view.shown = cause ? data.roots.filter((item) => item.cause === cause) : data.roots;
  view.at = 0;
  picks.cause.value = cause;
  list();
  show();
};
const go = (item, look) => {
  if (!view.shown.includes(item)) only("");
  view.at = view.shown.indexOf(item);
  show();
  if (look) viewer.querySelector(".controls").scrollIntoView({ block: "start" });
};
const step = (by) => {
  if (!view.shown.length) return;
  view.at = (view.at + by + view.shown.length) % view.shown.length;
  show();
};

const found = Object.keys(data.causes).filter((name) => data.roots.some((r) => r.cause === name));
picks.cause.replaceChildren(new Option(`all (${data.roots.length})`, ""), ...found.map((name) =>
  new Option(`${name} (${data.roots.filter((item) => item.cause === name).length})`, name)));
picks.cause.addEventListener("change", () => only(picks.cause.value));
picks.root.addEventListener("change", () => { view.at = +picks.root.value; show(); });
for (const button of viewer.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => step(+button.dataset.step));
}
const arrows = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
stage.addEventListener("keydown", (event) => {
  if (arrows[event.key]) { event.preventDefault(); step(arrows[event.key]); }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.show");
  if (!button) return;
  const item = data.roots.find((one) => String(one.n) === button.dataset.root);
  if (item) { go(item, true); stage.focus({ preventScroll: true }); }
});
const choosePlace = (target) => {
  const box = target.closest(".began");
  if (!box) return false;
  const items = began.get(box.dataset.key);
  // Again on the same place: the next that began there.
  go(items[(items.indexOf(root()) + 1) % items.length], false);
  return true;
};
find("[data-map]").addEventListener("click", (event) => choosePlace(event.target));
find("[data-map]").addEventListener("keydown", (event) => {
  if ((event.key === "Enter" || event.key === " ") && choosePlace(event.target)) event.preventDefault();
});

stage.addEventListener("pointermove", (event) => {
  if (!geometry) return;
  const box = stage.getBoundingClientRect();
  const px = ((event.clientX - box.left) / box.width) * geometry.width;
  const at = geometry.time(px);
  const inside = at >= geometry.t0 && at <= geometry.t1;
  geometry.cursor.style.display = inside ? "" : "none";
  if (!inside) { readout.textContent = HINT; return; }
  geometry.cursor.setAttribute("x1", px);
  geometry.cursor.setAttribute("x2", px);
  const bin = Math.min(data.bins - 1, Math.floor(((at - geometry.t0) / (geometry.t1 - geometry.t0)) * data.bins));
  readout.textContent = `${number(at)} of the frame. ` + geometry.panels.map((panel) =>
    `${panel.title.split(" (")[0]}: ${number(panel.values[2 * bin])} ${panel.unit}`).join(", ") + ".";
});
stage.addEventListener("pointerleave", () => {
  if (geometry) geometry.cursor.style.display = "none";
});

const entries = [["candidate", "var(--chip)", 2], ["twin", "var(--twin)", 6], ["v0", "var(--feedforward)", 2],
  ["state", "var(--cells)", 2], ["spread of the threshold", "var(--bad)", 9],
  ...(data.windows.length ? [["strobe's window", "var(--rule)", 9]] : [])];
find("[data-keys]").replaceChildren(...entries.map(([label, color, size]) => {
  const item = document.createElement("li");
  const svg = make("svg", { viewBox: "0 0 24 10", "aria-hidden": "true" }, item);
  make("line", { x1: 1, x2: 23, y1: 5, y2: 5,
    style: `stroke:${color};stroke-width:${size};opacity:${size === 2 ? 1 : 0.45}` }, svg);
  item.append(label);
  return item;
}));
list();
drawMap();
show();
const named = /^#root-(\d+)$/.exec(location.hash);
const first = named && data.roots.find((item) => item.n === +named[1]);
if (first) go(first, true);
let width = stage.clientWidth;
new ResizeObserver(() => {
  if (Math.abs(stage.clientWidth - width) <= 1) return;
  width = stage.clientWidth;
  drawMap();
  drawWave();
}).observe(stage);
