// A run in progress: figures and tables with every state, charts with every history. All texts are
// set as text, so that no name becomes markup.

const part = (name) => document.querySelector(`[data-live="${name}"]`);
const mib = (bytes) => (bytes == null ? "–" : (bytes / 1048576).toFixed(1));
const gib = (bytes) => (bytes / 1073741824).toFixed(2) + " GiB";
const took = (seconds) => (seconds == null ? "–" : duration(seconds * 1e6));

function write(name, text) {
  const node = part(name);
  if (node.textContent !== text) node.textContent = text;
}

function figure(name, value, detail) {
  write(name, value);
  write(`${name}-detail`, detail);
}

// A table is only made anew when it changes, so that text in it can be selected.
const tables = new Map();
function table(name, headings, rows) {
  const text = JSON.stringify(rows);
  if (tables.get(name) === text) return;
  tables.set(name, text);
  fillTable(part(name), headings, rows);
}

const headroom = ({ peak, budget }) => {
  if (peak == null || budget == null) return "–";
  return ((1 - peak / budget) * 100).toFixed(0) + (peak > budget ? "% OVER" : "%");
};

const left = (seconds) => (seconds < 60 ? "less than a minute" : `about ${Math.round(seconds / 60)} min`);

let phase = null;
let hasVerdict = false;

function header(state) {
  const of = [`plan ${state.plan}`, state.sky && `SkyPilot ${state.sky}`, state.place];
  write("what", [`skyload run ${state.run}`, ...of.filter(Boolean)].join(" · "));
  const { ending, verdict } = state;
  hasVerdict = Boolean(verdict);
  const box = part("box");
  box.className = `verdict ${verdict?.mood ?? "running"}`;
  write("phase", verdict?.name ?? state.phase.toUpperCase());
  write("sentence", ending ? `: ${ending.sentence}` : state.phase === "ended" ? ": writing the report" : ` for ${clock(state["in-phase"])}`);
  write("next", ending ? `HTML report: ${ending.report}` : `Running for ${clock(state.elapsed)}`);
  const now = verdict?.name ?? state.phase;
  document.title = `${now}: skyload run ${state.run}`;
  if (now !== phase) write("spoken", ending ? `${now}: ${ending.sentence}` : `Phase: ${now}`);
  phase = now;
}

function figures(state) {
  const loads = state.scenarios.filter((scenario) => !scenario["accompanies-load"]);
  const sum = (name) => loads.reduce((sum, scenario) => sum + scenario[name], 0);
  const done = loads.filter((scenario) => scenario.state === "done").length;
  const isOver = state.ending || state.phase === "ended";
  figure("left", isOver ? "ended" : state.left == null ? "–" : left(state.left), isOver ? "" : state.left == null ? "not known" : "estimate");
  figure("active", String(sum("active")), loads.length ? `${done} of ${loads.length} scenarios done` : "held connections only");
  figure("failed", String(sum("failed")), `of ${sum("ended")} iterations that ended`);
  part("failed").closest("li").className = sum("failed") > 0 ? "over" : "";
  const { totals } = state;
  figure("executors", totals ? String(totals.executors) : "–", totals ? `of ${totals.processes} processes` : "");
  figure("threads", totals ? String(totals.threads) : "–", totals ? `${totals.zombies} zombies` : "");
  const pss = totals?.pss;
  figure("memory", totals ? gib(totals["rss-sum"]) : "–", pss ? `RSS; PSS ${gib(pss.size)} at the end of the ${pss.phase}` : "RSS of all processes");
  const probe = state.scenarios.find((scenario) => scenario["is-probe"]);
  const waiting = probe?.active ? `, ${probe.active} without response` : "";
  figure("probe", took(probe?.latency?.max), probe ? `longest of the last second; ${probe.failed} of ${probe.ended} failed${waiting}` : "not in this plan");
  const machine = totals?.machine;
  figure("host", machine ? machine["cpu-percent"].toFixed(0) + "%" : "–", machine ? `CPU; ${gib(machine["memory-available"])} of memory available` : "CPU");
}

function show(state) {
  header(state);
  figures(state);
  table(
    "classes",
    ["class", "count", "threads", "RSS sum", "largest", "max peak", "budget", "headroom"],
    state.memory.map((row) => [
      row.class, row.count, row.threads, mib(row["rss-sum"]), mib(row.largest), mib(row.peak), mib(row.budget), headroom(row),
    ]),
  );
  write("age", state.totals ? `Read ${Math.round(state.totals.age)} s ago.` : "No samples yet.");
  table(
    "scenarios",
    ["scenario", "state", "active", "ended", "failed", "dropped", "p50", "max"],
    state.scenarios.map((row) => [
      row.name, row.state, row.active, row.ended, row.failed, row.dropped, took(row.latency?.p50), took(row.latency?.max),
    ]),
  );
  const notes = state.notes.map((note) => element("li", note));
  part("notes").replaceChildren(...(notes.length ? notes : [element("li", "None.")]));
}

const placed = new Map();
let drawnRun = null;
const shape = (chart) => JSON.stringify([chart.series.map((line) => line.name), chart.limits]);

function draw({ run, until, phases, charts }) {
  // A zoom is of one run: the next one is shown as a whole.
  const isWhole = run !== drawnRun || (range.min === WHOLE.min && range.max === WHOLE.max);
  drawnRun = run;
  WHOLE.max = Math.max(until, 1);
  DATA.phases = phases;
  for (const chart of charts) {
    const known = placed.get(chart.id);
    if (!known) {
      const host = document.querySelector(`[data-chart="${chart.id}"]`);
      placed.set(chart.id, { chart, drawing: place(host, (host) => timeline(chart, host)) });
      continue;
    }
    const isSame = shape(known.chart) === shape(chart);
    // The drawing has this very object.
    Object.assign(known.chart, chart);
    if (isSame) {
      known.drawing.drawn.chart.setData([chart.times, ...chart.series.map((line) => line.values)], false);
    } else {
      redraw(known.drawing);
    }
  }
  const { min, max } = isWhole ? WHOLE : range;
  showTime(min, max);
}

const source = new EventSource("events");
source.addEventListener("open", () => write("connection", ""));
source.addEventListener("state", (event) => show(JSON.parse(event.data)));
source.addEventListener("charts", (event) => draw(JSON.parse(event.data)));
source.addEventListener("end", () => {
  source.close();
  if (!hasVerdict) {
    part("box").className = "verdict doubtful";
    write("phase", "ENDED");
    write("sentence", ": the command has ended without a result; its terminal says why");
  }
  write("connection", "The command has ended. This page stays as it is.");
});
source.addEventListener("error", () => {
  const isClosed = source.readyState === EventSource.CLOSED;
  write("connection", isClosed ? "Connection lost. Load the page again." : "Connection lost, trying again.");
});
