"use strict";
// Runs before the page is drawn, so that a chosen theme never flashes.
try {
  const chosen = localStorage.getItem("codesign-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch (error) {
  // Storage may be refused for files opened from disk; the system's theme then holds.
}
document.documentElement.classList.add("js");
