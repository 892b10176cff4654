// How long iterations, or steps of them, took: counts on a logarithmic axis. The scale's
// values are tenths of powers of ten of microseconds, so its positions are linear.

const COUNTS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) => [power, 2 * power, 5 * power]);

const microsOf = (tenth) => 10 ** (tenth / 10);

function chosenDistribution() {
  const [scenario, part] = ["scenario", "part"].map(
    (name) => document.querySelector(`[data-${name}]`).value);
  return DATA.distributions.find((one) => one.scenario === scenario && one.part === part);
}

function fillChoices(onChange) {
  const [scenarios, parts] = ["scenario", "part"].map(
    (name) => document.querySelector(`[data-${name}]`));
  const fill = (select, names) => {
    const before = select.value;
    select.replaceChildren(...names.map((name) => element("option", name)));
    if (names.includes(before)) select.value = before;
  };
  const fillParts = () =>
    fill(parts, DATA.distributions.filter((one) => one.scenario === scenarios.value).map((one) => one.part));
  fill(scenarios, [...new Set(DATA.distributions.map((one) => one.scenario))]);
  fillParts();
  scenarios.addEventListener("change", () => {
    fillParts();
    onChange();
  });
  parts.addEventListener("change", onChange);
}

function distribution(host) {
  const chosen = chosenDistribution();
  const tenths = chosen.segments.flatMap((segment) => segment.counts.map(([tenth]) => tenth));
  const whole = {
    min: Math.floor(Math.min(...tenths) / 10) * 10,
    max: Math.ceil((Math.max(...tenths) + 1) / 10) * 10,
  };
  const buckets = Array.from({ length: whole.max - whole.min + 1 }, (_, at) => whole.min + at);
  const columns = chosen.segments.map((segment) => {
    const counts = new Map(segment.counts);
    return buckets.map((tenth) => counts.get(tenth) ?? null);
  });
  const looks = chosen.segments.map((segment) => segment.look);
  const bounds = (tenth) => `${duration(microsOf(tenth))} to ${duration(microsOf(tenth + 1))}`;
  const show = (min, max) => made.setScale("x", { min: Math.max(whole.min, min), max: Math.min(whole.max, max) });
  const made = new uPlot(
    {
      width: host.clientWidth,
      height: 240,
      padding: [12, 26, 0, 0],
      cursor: {
        drag: { x: true, y: false },
        points: { show: false },
        bind: { dblclick: () => () => show(whole.min, whole.max) },
        dataIdx: (chart, _, __, x) => Math.min(buckets.length - 1, Math.max(0, Math.floor(x) - whole.min)),
      },
      scales: {
        x: { time: false, min: whole.min, max: whole.max },
        y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1) * 1.08] },
      },
      axes: [
        axis({
          size: 30,
          splits: (_, __, min, max) => decades(min, max),
          values: (_, splits) => splits.map((tenth) => duration(microsOf(tenth))),
        }),
        valueAxis("count", { incrs: COUNTS }),
      ],
      series: [
        { label: "took", value: (_, tenth) => (tenth == null ? "" : bounds(tenth)) },
        ...chosen.segments.map((segment, index) => ({
          label: segment.name,
          stroke: color(looks[index]),
          fill: color(looks[index]),
          paths: () => null,
          points: { show: false },
          value: (_, count, __, at) => (at == null ? "" : String(count ?? 0)),
        })),
      ],
      hooks: { draw: [(chart) => drawBars(chart, columns, looks)] },
    },
    [buckets, ...columns],
    host);
  fillTable(
    document.querySelector("[data-distribution-table]"),
    ["took", ...chosen.segments.map((segment) => segment.name)],
    buckets
      .filter((_, at) => columns.some((counts) => counts[at] != null))
      .map((tenth) => [bounds(tenth), ...columns.map((counts) => String(counts[tenth - whole.min] ?? 0))]));
  const speak = (index) =>
    bounds(buckets[index]) + ": " +
    chosen.segments.map((segment, at) => `${segment.name} ${columns[at][index] ?? 0}`).join(", ");
  return { chart: made, show, whole, speak, forget: () => {} };
}

// Powers of ten, and their doubles and fives where there is room.
function decades(min, max) {
  const factors = max - min > 25 ? [1] : [1, 2, 5];
  const splits = [];
  for (let decade = Math.floor(min / 10); decade * 10 <= max; decade++) {
    for (const factor of factors) {
      const tenth = decade * 10 + 10 * Math.log10(factor);
      if (tenth >= min && tenth <= max) splits.push(tenth);
    }
  }
  return splits;
}

// Segments stand beside one another in their bucket, the second one hatched.
function drawBars(chart, columns, looks) {
  const { ctx, bbox } = chart;
  const px = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const floor = bbox.top + bbox.height;
  columns.forEach((counts, at) => {
    if (!chart.series[at + 1].show) return;
    ctx.fillStyle = ctx.strokeStyle = color(looks[at]);
    ctx.lineWidth = 1.5 * px;
    counts.forEach((count, index) => {
      if (!count) return;
      const from = chart.valToPos(chart.data[0][index] + 0.06 + (0.88 * at) / columns.length, "x", true);
      const to = chart.valToPos(chart.data[0][index] + 0.06 + (0.88 * (at + 1)) / columns.length, "x", true);
      const y = chart.valToPos(count, "y", true);
      ctx.globalAlpha = at ? 0.45 : 1;
      ctx.fillRect(from, y, Math.max(to - from - px, px), floor - y);
      ctx.globalAlpha = 1;
      if (at) ctx.strokeRect(from + px, y + px, Math.max(to - from - 3 * px, px), floor - y);
    });
  });
  ctx.restore();
}
