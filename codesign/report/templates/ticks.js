// Round numbers between two ends, about as many as wanted.
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
