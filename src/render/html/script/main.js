// Draws everything, and again when width or colours change.

document.querySelector(".unscripted")?.remove();

const drawings = [];

function place(host, draw) {
  const drawing = { host, draw, drawn: null };
  drawings.push(drawing);
  handle(host, () => drawing.drawn);
  redraw(drawing);
  return drawing;
}

function redraw(drawing) {
  if (drawing.drawn) {
    drawing.drawn.forget();
    drawing.drawn.chart.destroy();
  }
  drawing.host.replaceChildren();
  drawing.drawn = drawing.draw(drawing.host);
}

const redrawAll = () => drawings.forEach(redraw);

for (const chart of DATA.charts) {
  const host = document.querySelector(`[data-chart="${chart.id}"]`);
  if (host) place(host, (host) => timeline(chart, host));
}
const spansHost = document.querySelector("[data-spans]");
if (spansHost) {
  place(spansHost, spans);
  spansTable();
}
const distributionHost = document.querySelector("[data-distribution]");
if (distributionHost) {
  let drawing = null;
  fillChoices(() => redraw(drawing));
  drawing = place(distributionHost, distribution);
}

let width = document.documentElement.clientWidth;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  redrawAll();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

// Paper is light, narrow, and can't be clicked: details are opened for it.
let opened = [];
addEventListener("beforeprint", () => {
  document.documentElement.dataset.paper = "";
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((details) => (details.open = true));
  redrawAll();
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.paper;
  opened.forEach((details) => (details.open = false));
  redrawAll();
});
