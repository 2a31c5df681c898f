// Waveform viewer, 1 of 3: numbers and data. The three files are one scope, joined by build.py.
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
