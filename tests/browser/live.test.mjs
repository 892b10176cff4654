// What the page of a run in progress does in a browser, with recorded events.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MARKUP, canvasOf, folder, inkOf, openAt } from "./browser.mjs";

// Serves the page at `/running/` and `/ended/`, each with the events of its own file.
const server = createServer(async (request, response) => {
  const [, name, file] = request.url.split("/");
  if (file === "events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(await readFile(join(folder, `${name}.txt`)));
    // The events of a run that runs go on.
    if (name === "ended") response.end();
    return;
  }
  response.writeHead(200, { "content-type": "text/html" });
  response.end(await readFile(join(folder, "live.html")));
});
let address;
before(async () => {
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  address = (name) => `http://127.0.0.1:${server.address().port}/${name}/`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const text = (page, name) => page.locator(`[data-live="${name}"]`).innerText();
const cells = (page, table, row) => page.locator(`[data-live="${table}"] tr:has(th:text-is("${row}")) td`).allInnerTexts();

// Draws the charts with one more point.
const extend = (page, until, run) =>
  page.evaluate(async ([until, run]) => {
    const charts = [...placed.values()].map(({ chart }) => ({
      ...chart,
      times: [...chart.times, until],
      series: chart.series.map((line) => ({ ...line, values: [...line.values, line.values.at(-1)] })),
    }));
    draw({ run: run ?? drawnRun, until, phases: DATA.phases, charts });
    // The library draws after the script.
    await new Promise(requestAnimationFrame);
  }, [until, run]);

// Seconds between two labels of the time axis; 0 without labels.
const stepOf = (page) => page.evaluate(() => [...timelines][0].axes[0]._found[0]);

describe("the page of a run in progress", () => {
  let page, noticed;
  before(async () => {
    ({ page, noticed } = await openAt(address("running")));
    await page.locator('[data-live="phase"]:text-is("LOAD")').waitFor();
  });
  after(async () => {
    await page.context().close();
    assert.deepEqual(noticed, []);
  });

  test("the header names the phase, and a version with markup is text", async () => {
    assert.match(await text(page, "sentence"), /^ for 0:06/);
    assert.ok((await text(page, "what")).includes(MARKUP));
  });

  test("key figures are those of the state", async () => {
    assert.deepEqual([await text(page, "active"), await text(page, "failed"), await text(page, "executors")], ["3", "1", "2"]);
    assert.equal(await text(page, "probe"), "40 ms");
    assert.match(await text(page, "memory-detail"), /PSS 0.39 GiB at the end of the baseline/);
  });

  test("each class has its memory and its peak against the budget", async () => {
    assert.deepEqual(await cells(page, "classes", "short-executor"), ["2", "6", "280.0", "140.0", "180.0", "307.2", "41%"]);
  });

  test("each scenario has its iterations", async () => {
    assert.deepEqual((await cells(page, "scenarios", "api:status")).slice(0, 4), ["running", "3", "5", "1"]);
  });

  test("charts are drawn", async () => {
    for (const [id, line] of [["memory-largest", "line-short-executor"], ["memory-sum", "line-all"], ["processes", "line-server"]]) {
      assert.ok((await inkOf(page, canvasOf(id), line)) > 50, id);
    }
  });

  test("a later history extends the charts and keeps a zoom, which another run does not", async () => {
    const later = async (until, run = null) => {
      await extend(page, until, run);
      return page.evaluate(() =>
        [...timelines].map((chart) => [chart.scales.x.min, chart.scales.x.max, chart.data[0].at(-1)]));
    };
    for (const range of await later(400)) assert.deepEqual(range, [0, 400, 400]);
    await page.evaluate(() => showTime(2, 5));
    for (const range of await later(500)) assert.deepEqual(range, [2, 5, 500]);
    for (const range of await later(60, "another")) assert.deepEqual(range, [0, 60, 60]);
  });

  test("the time axis of a day has labels", async () => {
    await extend(page, 86400, "a day");
    assert.ok((await stepOf(page)) > 0);
  });
});

test("a run that has ended has its verdict, which stays", async () => {
  const { page, noticed } = await openAt(address("ended"));
  await page.locator('[data-live="phase"]:text-is("OVER BUDGET")').waitFor();
  assert.equal(await text(page, "sentence"), ": a budget was exceeded.");
  assert.equal(await text(page, "next"), "HTML report: r.html");
  assert.match(await text(page, "connection"), /This page stays as it is/);
  assert.match(await page.title(), /^OVER BUDGET: skyload run/);
  await page.context().close();
  assert.deepEqual(noticed, []);
});

for (const colorScheme of ["light", "dark"]) {
  test(`at 360 pixels, ${colorScheme}: no complaint, and no scrolling sideways`, async () => {
    const { page, noticed } = await openAt(address("ended"), { colorScheme, viewport: { width: 360, height: 740 } });
    await page.locator('[data-live="phase"]:text-is("OVER BUDGET")').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await extend(page, 28800, "eight hours");
    assert.ok((await stepOf(page)) > 0, "labels of the time axis");
    assert.deepEqual(noticed, []);
    await page.context().close();
  });
}
