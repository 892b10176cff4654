// What report.html does in a browser: `node report.test.mjs CHROMIUM FOLDER`, where
// FOLDER has the pages that `tests/hermetic/browser.rs` writes.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [program, folder] = process.argv.slice(2);
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const MARKUP = "<script>alert(1)</script>";

let browser;
before(async () => {
  // A new profile, in a temporary folder, is what it gets anyway.
  browser = await chromium.launch({ executablePath: program, args: FLAGS, headless: true });
});
after(() => browser?.close());

// Opens a page and notes whatever it complains of, asks for, or pops up.
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const noticed = [];
  page.on("console", (message) => noticed.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => noticed.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    noticed.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const isItself = request.isNavigationRequest() && request.url().startsWith("file:");
    if (!isItself && !request.url().startsWith("data:")) noticed.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
  return { page, noticed };
}

const canvasOf = (id) => `[data-chart="${id}"] canvas`;

// How many pixels of a canvas have one of the page's colours. Axes, names and shades
// are drawn in others.
const inkOf = (page, selector, name) =>
  page.locator(selector).evaluate((canvas, name) => {
    const [red, green, blue] = color(name).match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
    const { width, height } = canvas;
    // Of a copy: a browser complains of a canvas that is read again and again.
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    let ink = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) ink++;
    }
    return ink;
  }, name);

// `timelines` and `drawings` are names of the page's own scripts.
const rangeOf = (page, selector) =>
  page.evaluate((selector) => {
    const host = document.querySelector(selector);
    const { chart } = drawings.find((drawing) => drawing.host === host).drawn;
    return [chart.scales.x.min, chart.scales.x.max];
  }, selector);
// Where the lines of a chart are on the screen, after scrolling there.
async function areaOf(page, id) {
  const area = page.locator(`[data-chart="${id}"] .u-over`);
  await area.scrollIntoViewIfNeeded();
  return area.boundingBox();
}

const ranges = (page) =>
  page.evaluate(() => [...timelines].map((chart) => [chart.scales.x.min, chart.scales.x.max]));

describe("every page", () => {
  for (const name of ["hour", "short", "remote", "unknown"]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${name}, ${colorScheme}: no complaint, no request`, async () => {
        const { page, noticed } = await open(name, { colorScheme });
        await page.emulateMedia({ media: "print" });
        await page.emulateMedia({ media: "screen" });
        assert.deepEqual(noticed, []);
        await page.context().close();
      });
    }
    test(`${name} does not scroll sideways at 360 pixels`, async () => {
      const { page } = await open(name, { viewport: { width: 360, height: 740 } });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, 360);
      await page.context().close();
    });
  }
  test("an hour is under 2 MB", () => {
    assert.ok(statSync(join(folder, "hour.html")).size < 2_000_000);
  });
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
