// What report.html does in a browser.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MARKUP, areaOf, behave, canvasOf, folder, inkOf, open, rangeOf, ranges } from "./browser.mjs";

behave(["hour", "short", "remote", "unknown"]);

test("the page of an hour is under 2 MB", () => {
  assert.ok(statSync(join(folder, "hour.html")).size < 2_000_000);
});

describe("the page of an hour", () => {
  let page, noticed;
  before(async () => ({ page, noticed } = await open("hour")));
  after(async () => {
    await page.context().close();
    assert.deepEqual(noticed, []);
  });

  test("all its charts are drawn", async () => {
    const lines = {
      "memory-sum": "line-all",
      "memory-largest": "line-other",
      processes: "line-other",
      cpu: "line-machine",
      "machine-memory": "line-machine",
    };
    for (const [id, name] of Object.entries(lines)) {
      assert.ok((await inkOf(page, canvasOf(id), name)) > 500, id);
    }
    assert.ok((await inkOf(page, canvasOf("memory-largest"), "limit")) > 500, "budgets");
    for (const start of ["cold", "warm"]) {
      assert.ok((await inkOf(page, "[data-spans] canvas", start)) > 500, start);
    }
    assert.ok((await inkOf(page, "[data-distribution] canvas", "cold")) > 500, "bars");
  });

  test("names of scenarios begin where their first bars do", async () => {
    const alignments = await page.evaluate(async () => {
      const { prototype } = CanvasRenderingContext2D;
      const { fillText } = prototype;
      const names = DATA.scenarios.map((row) => row.name);
      const seen = [];
      prototype.fillText = function (text, ...place) {
        if (names.includes(text)) seen.push(this.textAlign);
        fillText.call(this, text, ...place);
      };
      redrawAll();
      await new Promise(requestAnimationFrame);
      prototype.fillText = fillText;
      return seen;
    });
    assert.deepEqual([...new Set(alignments)], ["left"]);
  });

  test("no time has 60 seconds, 1000 milliseconds or microseconds", async () => {
    const times = await page.evaluate(() => [
      clock(59.7), clock(59.97, 1), clock(3599.6), clock(185), duration(999.9), duration(999_999),
    ]);
    assert.deepEqual(times, ["1:00", "1:00.0", "1:00:00", "3:05", "1 ms", "1 s"]);
  });

  test("names are shown as text", async () => {
    const words = await page.locator("main").innerText();
    assert.ok(words.includes(`a cluster (${MARKUP})`) && words.includes(`submit ${MARKUP}`));
    const scripts = await page.evaluate(() => document.querySelectorAll("main script").length);
    assert.equal(scripts, 0);
  });

  test("a script that is smuggled in does not run", async () => {
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.smuggled = true";
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => window.smuggled), undefined);
    assert.match(noticed.pop(), /Content Security Policy/);
  });

  test("dragging zooms all charts over time, a double click shows all", async () => {
    const whole = await rangeOf(page, '[data-chart="memory-sum"]');
    const box = await areaOf(page, "memory-sum");
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.25, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, y, { steps: 5 });
    await page.mouse.up();
    const [from, to] = await rangeOf(page, '[data-chart="memory-sum"]');
    const length = whole[1] - whole[0];
    assert.ok(Math.abs(from - (whole[0] + length * 0.25)) < length * 0.02, `${from}`);
    assert.ok(Math.abs(to - (whole[0] + length * 0.5)) < length * 0.02, `${to}`);
    for (const range of await ranges(page)) assert.deepEqual(range, [from, to]);
    await page.mouse.dblclick(box.x + box.width / 2, y);
    assert.deepEqual(await rangeOf(page, '[data-chart="memory-sum"]'), whole);
  });

  test("the legend says the values under the cursor", async () => {
    const box = await areaOf(page, "memory-largest");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const legend = await page.locator('[data-chart="memory-largest"] .u-legend').innerText();
    assert.match(legend, /server\s*\d+\.\d MiB/);
    await page.mouse.move(0, 0);
  });

  test("the keyboard moves the cursor, zooms and resets", async () => {
    const selector = '[data-chart="processes"]';
    const whole = await rangeOf(page, selector);
    await page.locator(selector).focus();
    for (let step = 0; step < 5; step++) await page.keyboard.press("Shift+ArrowRight");
    const spoken = page.locator(`${selector} + .spoken`);
    assert.match(await spoken.innerText(), /^1:\d\d\.\d: server \d+ processes/);
    await page.keyboard.press("+");
    const [from, to] = await rangeOf(page, selector);
    assert.ok(Math.abs(to - from - (whole[1] - whole[0]) / 2) < 1, `${from} to ${to}`);
    await page.keyboard.press("-");
    assert.deepEqual(await rangeOf(page, selector), whole);
    await page.keyboard.press("+");
    await page.keyboard.press("0");
    assert.deepEqual(await rangeOf(page, selector), whole);
  });

  test("every control has a name and can be seen when it has the focus", async () => {
    await page.locator("body").click({ position: { x: 1, y: 1 } });
    await page.keyboard.press("Tab");
    const skip = page.locator(":focus");
    assert.equal(await skip.innerText(), "Skip to the results");
    assert.ok((await skip.boundingBox()).x >= 0);
    const selector = '[data-chart="cpu"]';
    await page.locator(selector).focus();
    await page.keyboard.press("ArrowRight");
    const outline = await page.locator(selector).evaluate((host) => getComputedStyle(host).outlineStyle);
    assert.equal(outline, "solid");
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, select, [tabindex='0'], summary")].filter(
        (control) => !(control.getAttribute("aria-label") || control.textContent || control.labels?.length)).length);
    assert.equal(unnamed, 0);
  });

  test("buttons zoom where there is no keyboard", async () => {
    const selector = "[data-distribution]";
    const whole = await rangeOf(page, selector);
    await page.getByRole("button", { name: "Zoom in: Distribution of latency" }).click();
    const [from, to] = await rangeOf(page, selector);
    assert.ok(to - from < whole[1] - whole[0]);
    await page.getByRole("button", { name: "Show all: Distribution of latency" }).click();
    assert.deepEqual(await rangeOf(page, selector), whole);
  });

  test("another scenario and another step can be chosen, and the table follows", async () => {
    const rows = () => page.locator("[data-distribution-table] tbody").evaluate((body) => body.textContent);
    const before = await rows();
    await page.locator("[data-scenario]").selectOption({ index: 3 });
    await page.locator("[data-part]").selectOption("get");
    assert.notEqual(await rows(), before);
    assert.ok((await inkOf(page, "[data-distribution] canvas", "cold")) > 500);
  });

  test("each chart has a table behind it", async () => {
    const figures = await page.locator("figure:has(.chart)").all();
    assert.equal(figures.length, 7);
    for (const figure of figures) {
      assert.ok((await figure.locator("details tbody tr").count()) > 1);
    }
  });

  test("on paper all tables are open and colours are light, and then no more", async () => {
    const paper = () => page.evaluate(() => color("paper"));
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await paper();
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.equal(await page.locator("details:not([open])").count(), 0);
    assert.equal(await paper(), "#ffffff");
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    assert.equal(await page.locator("details[open]").count(), 0);
    assert.equal(await paper(), dark);
  });
});

test("iterations with an unknown start have a colour of their own", async () => {
  const { page } = await open("remote");
  for (const canvas of ["[data-spans] canvas", "[data-distribution] canvas"]) {
    assert.ok((await inkOf(page, canvas, "unknown")) > 500, canvas);
    assert.equal(await inkOf(page, canvas, "cold"), 0, canvas);
  }
  await page.context().close();
});

test("without scripts the tables have all data", async () => {
  const { page } = await open("hour", { javaScriptEnabled: false });
  assert.ok(await page.getByText("Charts need JavaScript").isVisible());
  assert.ok((await page.locator("details table tbody tr").count()) > 100);
  await page.context().close();
});
