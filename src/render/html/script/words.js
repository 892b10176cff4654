// Data, colours, and how figures are written.

const DATA = JSON.parse(document.getElementById("data").textContent);

// Lines are told apart by dashes too, not by colour alone.
const DASHES = {
  "all": [],
  "server": [],
  "server-worker": [10, 4],
  "queue": [2, 3],
  "short-executor": [],
  "long-executor": [12, 4, 3, 4],
  "starting-executor": [4, 3],
  "jobs-controller": [8, 3, 2, 3],
  "serve-controller": [6, 6],
  "log-follower": [14, 4],
  "subprocess": [2, 6],
  "other": [5, 2, 2, 2],
  "machine": [],
  "base": [],
  "candidate": [8, 3],
};

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// An element with text in it; names from the server never become markup.
function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function number(value, digits) {
  return value == null ? "–" : value.toFixed(digits);
}

// `3:05`, `1:02:03`; with a tenth where seconds are far apart.
function clock(seconds, digits = 0) {
  // Rounded first: of 59.7 seconds, 60 would be left beside 0 minutes.
  const rounded = Number(seconds.toFixed(digits));
  const whole = Math.floor(rounded / 60);
  const rest = (rounded - whole * 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  if (whole < 60) return whole + ":" + rest;
  return Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0") + ":" + rest;
}

// A duration in the unit that fits it.
function duration(micros) {
  const rounded = Number(micros.toPrecision(2));
  const [value, unit] =
    rounded < 1e3 ? [rounded, "µs"] : rounded < 1e6 ? [rounded / 1e3, "ms"] : [rounded / 1e6, "s"];
  return value + " " + unit;
}

function fillTable(table, headings, rows) {
  table.querySelectorAll("thead, tbody").forEach((part) => part.remove());
  const head = table.createTHead().insertRow();
  headings.forEach((heading, column) =>
    head.append(element("th", heading, column ? { scope: "col", class: "figure" } : { scope: "col" })));
  const body = table.createTBody();
  for (const [name, ...cells] of rows) {
    const row = body.insertRow();
    row.append(element("th", name, { scope: "row" }));
    cells.forEach((cell) => row.append(element("td", cell, { class: "figure" })));
  }
}
