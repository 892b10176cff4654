// Charts over time, which share one axis: zoomed and pointed at together.

const timelines = new Set();
const WHOLE = { min: 0, max: Math.max(DATA.until, 1) };
let range = WHOLE;
let isMoving = false;

function showTime(min, max) {
  const narrowest = (WHOLE.max - WHOLE.min) / 10000;
  min = Math.max(WHOLE.min, min);
  max = Math.min(WHOLE.max, max);
  if (max - min < narrowest) return;
  range = { min, max };
  isMoving = true;
  timelines.forEach((chart) => chart.setScale("x", range));
  isMoving = false;
}

// What all charts over time have in common.
function timelineOptions(host, height) {
  return {
    width: host.clientWidth,
    height,
    padding: [20, 26, 0, 0],
    cursor: {
      sync: { key: "time", setSeries: false },
      drag: { x: true, y: false },
      bind: { dblclick: () => () => showTime(WHOLE.min, WHOLE.max) },
    },
    scales: { x: { time: false, min: range.min, max: range.max } },
    hooks: {
      setScale: [
        (chart, key) => {
          const { min, max } = chart.scales.x;
          if (key === "x" && !isMoving && timelines.has(chart)) showTime(min, max);
        },
      ],
      drawClear: [shadePhases],
      draw: [namePhases],
    },
  };
}

function axis(more) {
  return {
    stroke: color("soft"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: color("grid"), width: 1 },
    ticks: { stroke: color("grid"), width: 1 },
    ...more,
  };
}

function timeAxis() {
  // Steps that clocks have.
  const ofMinutes = [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  // Where no step is long enough for the labels, the axis has none.
  const ofDays = [7200, 10800, 21600, 43200, 86400, 172800, 604800];
  return axis({
    size: 30,
    incrs: [...ofMinutes, ...ofDays],
    space: 56,
    values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step < 1 ? 1 : 0)),
  });
}

const VALUES_WIDTH = 58;
const LABEL_WIDTH = 18;

function valueAxis(label, more = {}) {
  const labelFont = "12px system-ui, sans-serif";
  return axis({ size: VALUES_WIDTH, label, labelSize: LABEL_WIDTH, labelFont, ...more });
}

// The visible part of a span, in pixels of the canvas.
function visible(chart, span) {
  const { left, width } = chart.bbox;
  const at = (time) => Math.min(left + width, Math.max(left, chart.valToPos(time, "x", true)));
  return [at(span.from), at(span.to)];
}

function shadePhases(chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = color("shade");
  DATA.phases.forEach((phase, index) => {
    const [from, to] = visible(chart, phase);
    if (index % 2 === 1) ctx.fillRect(from, bbox.top, to - from, bbox.height);
  });
  ctx.restore();
}

function namePhases(chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.font = `${11 * uPlot.pxRatio}px system-ui, sans-serif`;
  ctx.fillStyle = color("soft");
  ctx.textBaseline = "bottom";
  ctx.textAlign = "center";
  for (const phase of DATA.phases) {
    const [from, to] = visible(chart, phase);
    const fits = ctx.measureText(phase.name).width + 8 * uPlot.pxRatio < to - from;
    if (fits) ctx.fillText(phase.name, (from + to) / 2, bbox.top - 3 * uPlot.pxRatio);
  }
  ctx.restore();
}

// A value that stands alone, between none and none, has no line: it gets a point.
function lonely(chart, index) {
  const values = chart.data[index];
  const alone = [];
  for (let at = 0; at < values.length; at++) {
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) alone.push(at);
  }
  return alone;
}

function drawLimits(limits) {
  return (chart) => {
    const { ctx, bbox } = chart;
    const px = uPlot.pxRatio;
    ctx.save();
    ctx.font = `600 ${11 * px}px system-ui, sans-serif`;
    ctx.strokeStyle = ctx.fillStyle = color("limit");
    ctx.lineWidth = 1.5 * px;
    ctx.textBaseline = "bottom";
    let above = -Infinity;
    for (const limit of [...limits].sort((one, other) => other.value - one.value)) {
      const y = chart.valToPos(limit.value, "y", true);
      ctx.setLineDash([10 * px, 5 * px]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      // Names of limits that are close to one another alternate.
      const isClose = y - above < 15 * px;
      ctx.textAlign = isClose ? "left" : "right";
      ctx.fillText(limit.name, isClose ? bbox.left + 6 * px : bbox.left + bbox.width - 6 * px, y - 2 * px);
      above = isClose ? -Infinity : y;
    }
    ctx.restore();
  };
}

function timeline(chart, host) {
  const options = timelineOptions(host, host.clientWidth < 500 ? 220 : 280);
  const top = Math.max(0, ...chart.limits.map((limit) => limit.value));
  const write = (value) => (value == null ? "–" : number(value, chart.digits) + " " + chart.unit);
  options.scales.y = {
    range: (_, __, max) => [0, Math.max(top, max ?? 0, chart.unit === "%" ? 95 : 1) * 1.08],
  };
  options.axes = [timeAxis(), valueAxis(chart.unit)];
  options.series = [
    { label: "time", value: (_, at) => (at == null ? "" : clock(at, 1)) },
    ...chart.series.map((line) => ({
      label: line.name,
      stroke: color("line-" + line.look),
      width: line.look === "all" ? 2.5 : 1.75,
      dash: DASHES[line.look],
      // Without a cursor there is nothing to say.
      value: (_, value, __, index) => (index == null ? "" : write(value)),
      points: { show: false, size: 4, fill: color("line-" + line.look), filter: lonely },
    })),
  ];
  const dashes = (_, index) => (DASHES[chart.series[index - 1]?.look]?.length ? "dashed" : "solid");
  options.legend = { markers: { dash: dashes } };
  options.hooks.draw.push(drawLimits(chart.limits));
  const made = new uPlot(options, [chart.times, ...chart.series.map((line) => line.values)], host);
  const speak = (index) =>
    clock(chart.times[index], 1) + ": " +
    chart.series
      .filter((line) => line.values[index] != null)
      .map((line) => line.name + " " + write(line.values[index]))
      .join(", ");
  timelines.add(made);
  return { chart: made, show: showTime, whole: WHOLE, speak, forget: () => timelines.delete(made) };
}
