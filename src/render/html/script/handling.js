// Charts by keyboard, and by buttons where there is neither keyboard nor mouse.

// `of` says which chart the host has now: it is drawn anew with the colours.
function handle(host, of) {
  host.addEventListener("keydown", (event) => {
    if (event.target !== host || event.ctrlKey || event.metaKey || event.altKey) return;
    const drawn = of();
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (steps) move(host, drawn, steps * (event.shiftKey ? 10 : 1));
    else if (event.key === "Home" || event.key === "End") move(host, drawn, event.key === "Home" ? -Infinity : Infinity);
    else if (event.key === "+" || event.key === "=") zoom(drawn, 0.5);
    else if (event.key === "-") zoom(drawn, 2);
    else if (event.key === "0") zoom(drawn, Infinity);
    else return;
    event.preventDefault();
  });
  const buttons = element("p", "", { class: "zoom" });
  for (const [sign, name, factor] of [["+", "Zoom in", 0.5], ["−", "Zoom out", 2], ["All", "Show all", Infinity]]) {
    const button = element("button", sign, { type: "button", "aria-label": `${name}: ${host.getAttribute("aria-label")}` });
    button.addEventListener("click", () => zoom(of(), factor));
    buttons.append(button);
  }
  host.before(buttons);
}

function move(host, { chart, speak }, steps) {
  const times = chart.data[0];
  const { min, max } = chart.scales.x;
  let first = times.findIndex((time) => time >= min);
  let last = times.findLastIndex((time) => time <= max);
  if (first < 0 || last < first) return;
  const before = chart.cursor.idx ?? (steps > 0 ? first - 1 : last + 1);
  const index = Math.min(last, Math.max(first, before + steps));
  const left = chart.valToPos(times[index], "x");
  chart.setCursor({ left: Math.max(0, left), top: chart.over.clientHeight / 2 });
  host.nextElementSibling.textContent = speak(index);
}

// Around the cursor, or else the middle.
function zoom({ chart, show, whole }, factor) {
  if (factor === Infinity) return show(whole.min, whole.max);
  const { min, max } = chart.scales.x;
  const at = chart.cursor.idx == null ? (min + max) / 2 : chart.data[0][chart.cursor.idx];
  const center = Math.min(max, Math.max(min, at));
  const width = Math.min((max - min) * factor, whole.max - whole.min);
  const from = Math.min(Math.max(whole.min, center - width / 2), whole.max - width);
  show(from, from + width);
}
