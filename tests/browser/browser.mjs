// Pages in a browser, for the claims about each kind of page: `node CLAIMS CHROMIUM FOLDER`, where
// FOLDER has the pages that `tests/hermetic/browser.rs` writes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

export const [program, folder] = process.argv.slice(2);
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const MARKUP = "<script>alert(1)</script>";

let browser;
before(async () => {
  // A new profile, in a temporary folder, is what it gets anyway.
  browser = await chromium.launch({ executablePath: program, args: FLAGS, headless: true });
});
after(() => browser?.close());

// Opens a page of the folder.
export const open = (name, options) => openAt(pathToFileURL(join(folder, `${name}.html`)).href, options);

// Opens a page and notes whatever it complains of, asks for, or pops up. A page over HTTP may ask its
// own address.
export async function openAt(address, options = {}) {
  const own = new URL(address).protocol === "http:" ? address : null;
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
    if (own && request.url().startsWith(own)) return;
    if (!isItself && !request.url().startsWith("data:")) noticed.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  return { page, noticed };
}

export const canvasOf = (id) => `[data-chart="${id}"] canvas`;

// How many pixels of a canvas have one of the page's colours. Axes, names and shades
// are drawn in others.
export const inkOf = (page, selector, name) =>
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
export const rangeOf = (page, selector) =>
  page.evaluate((selector) => {
    const host = document.querySelector(selector);
    const { chart } = drawings.find((drawing) => drawing.host === host).drawn;
    return [chart.scales.x.min, chart.scales.x.max];
  }, selector);
// Where the lines of a chart are on the screen, after scrolling there.
export async function areaOf(page, id) {
  const area = page.locator(`[data-chart="${id}"] .u-over`);
  await area.scrollIntoViewIfNeeded();
  return area.boundingBox();
}

export const ranges = (page) =>
  page.evaluate(() => [...timelines].map((chart) => [chart.scales.x.min, chart.scales.x.max]));

// What each of the pages does.
export function behave(names) {
  describe("every page", () => {
    for (const name of names) {
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
  });
}
