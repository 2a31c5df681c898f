// Zooming along time, for every viewer: buttons, keys, wheel, dragging and pinching.
// view.from and view.to are parts of the whole, 0 to 1. draw() draws that stretch; geometry() is the
// picture drawn last: its width, its cursor line and its brush; left and right are its margins.
const zooming = ({ stage, buttons, view, smallest, left, right, draw, geometry, point, leave }) => {
  const zoom = (from, to) => {
    const size = Math.min(1, Math.max(to - from, smallest()));
    view.from = Math.max(0, Math.min(1 - size, from));
    view.to = view.from + size;
    draw();
  };
  const around = (factor, centre = (view.from + view.to) / 2) =>
    zoom(centre - (centre - view.from) * factor, centre + (view.to - centre) * factor);
  const slide = (by) => {
    const step = by * (view.to - view.from);
    zoom(view.from + step, view.to + step);
  };
  const actions = { in: () => around(0.5), out: () => around(2), left: () => slide(-0.4),
    right: () => slide(0.4), all: () => zoom(0, 1) };
  for (const button of buttons) {
    button.addEventListener("click", () => actions[button.dataset.zoom]());
  }
  stage.addEventListener("keydown", (event) => {
    const action = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right",
      0: "all" }[event.key];
    if (action) { event.preventDefault(); actions[action](); }
  });
  const inner = () => geometry().width - left - right;
  const part = (px) => view.from + ((px - left) / inner()) * (view.to - view.from);
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * geometry().width;
  };
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    around(event.deltaY > 0 ? 1.25 : 0.8, part(place(event)));
  }, { passive: false });
  stage.addEventListener("dblclick", () => zoom(0, 1));

  const pointers = new Map();
  let grip = null;
  const hold = () => ({ from: view.from, to: view.to, places: [...pointers.values()],
    parts: [...pointers.values()].map(part) });
  stage.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    // Synthetic and already released pointers cannot be captured; dragging then ends at the edge.
    try { stage.setPointerCapture(event.pointerId); } catch (error) { /* nothing to do */ }
    grip = hold();
  });
  stage.addEventListener("pointermove", (event) => {
    const px = place(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, px);
    const held = [...pointers.values()];
    if (held.length === 2 && grip.parts.length === 2) {
      const size = Math.abs((grip.parts[1] - grip.parts[0]) / ((held[1] - held[0]) / inner() || 1));
      const from = grip.parts[0] - ((held[0] - left) / inner()) * size;
      zoom(from, from + size);
    } else if (held.length === 1 && event.pointerType === "touch") {
      const moved = ((grip.places[0] - px) / inner()) * (grip.to - grip.from);
      zoom(grip.from + moved, grip.to + moved);
    } else if (held.length === 1) {
      const { brush } = geometry();
      brush.setAttribute("x", Math.min(px, grip.places[0]));
      brush.setAttribute("width", Math.abs(px - grip.places[0]));
      brush.style.display = "";
    }
    const { cursor, width } = geometry();
    if (px >= left && px <= width - right) {
      cursor.setAttribute("x1", px);
      cursor.setAttribute("x2", px);
      cursor.style.display = "";
      point(part(px));
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
    geometry().brush.style.display = "none";
    pointers.delete(event.pointerId);
    grip = pointers.size ? hold() : null;
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => {
    geometry().cursor.style.display = "none";
    if (leave) leave();
  });
};
