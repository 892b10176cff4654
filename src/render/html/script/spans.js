// When which scenario was under way: bars on the axis of time.

const ROW = 30;

function spans(host) {
  const rows = DATA.scenarios;
  const options = timelineOptions(host, rows.length * ROW + 60);
  options.scales.y = { range: () => [0, rows.length] };
  // As wide as those of the other charts, so that times are below one another.
  options.axes = [timeAxis(), blankAxis()];
  options.series = [{}, { show: false }];
  options.legend = { show: false };
  options.hooks.draw.push(drawSpans);
  const points = 600;
  const times = Array.from({ length: points + 1 }, (_, at) => (WHOLE.max * at) / points);
  const made = new uPlot(options, [times, times.map(() => null)], host);
  const now = element("p", "", { class: "now" });
  host.append(now);
  const speak = (index) => {
    const at = times[index];
    const active = rows.flatMap((row) =>
      row.segments
        .filter((segment) => segment.from <= at && at <= segment.to)
        .map((segment) => `${row.name} (${segment.name})`));
    return clock(at, 1) + ": " + (active.join(", ") || "no scenario");
  };
  made.hooks.setCursor = [
    (chart) => {
      now.textContent = chart.cursor.idx == null ? "" : speak(chart.cursor.idx);
    },
  ];
  timelines.add(made);
  return { chart: made, show: showTime, whole: WHOLE, speak, forget: () => timelines.delete(made) };
}

function blankAxis() {
  const nothing = { show: false };
  return axis({ size: VALUES_WIDTH + LABEL_WIDTH, values: () => [], grid: nothing, ticks: nothing });
}

function drawSpans(chart) {
  const { ctx, bbox } = chart;
  const px = uPlot.pxRatio;
  const height = bbox.height / DATA.scenarios.length;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * px}px system-ui, sans-serif`;
  ctx.textBaseline = "top";
  // What was drawn before has left an alignment of its own.
  ctx.textAlign = "left";
  DATA.scenarios.forEach((row, index) => {
    const top = bbox.top + index * height;
    let last = null;
    for (const segment of row.segments) {
      const [from, to] = visible(chart, segment);
      if (to <= from) continue;
      ctx.fillStyle = color(segment.look);
      ctx.fillRect(from, top + 16 * px, Math.max(to - from - px, 2 * px), height - 18 * px);
      last ??= from;
    }
    // The name stands above its first bar that can be seen, as far as there is room.
    if (last === null) return;
    const width = ctx.measureText(row.name).width;
    ctx.fillStyle = color("ink");
    ctx.fillText(row.name, Math.min(last, bbox.left + bbox.width - width - 4 * px), top + 2 * px);
  });
  ctx.restore();
}

function spansTable() {
  const table = document.querySelector("[data-spans-table]");
  if (!table) return;
  const rows = DATA.scenarios.flatMap((row) =>
    row.segments.map((segment) => [row.name, segment.name, clock(segment.from, 1), clock(segment.to, 1)]));
  fillTable(table, ["scenario", table.dataset.spansTable, "from", "to"], rows);
}
