// What compare.html does in a browser.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MARKUP, areaOf, behave, canvasOf, inkOf, open, rangeOf, ranges } from "./browser.mjs";

behave(["comparison", "many-packages", "no-pair"]);

describe("the page of a comparison", () => {
  let page, noticed;
  before(async () => ({ page, noticed } = await open("comparison")));
  after(async () => {
    await page.context().close();
    assert.deepEqual(noticed, []);
  });

  test("the table of metrics has a verdict on each", async () => {
    const verdicts = await page.locator("#metrics ~ .scroll").first().locator("td:last-child").allInnerTexts();
    assert.ok(verdicts.length >= 4 && verdicts.includes("worse"), verdicts.join());
  });

  test("each pair has a point of the base above one of the candidate", async () => {
    const strips = await page.locator("#pairs .strip").all();
    assert.ok(strips.length >= 4, `${strips.length}`);
    for (const strip of strips) {
      const whole = await strip.boundingBox();
      const rows = [];
      for (const side of ["base", "candidate"]) {
        const points = await strip.locator(`circle.${side}`).all();
        assert.equal(points.length, 3);
        const boxes = await Promise.all(points.map((point) => point.boundingBox()));
        for (const box of boxes) {
          assert.ok(box.x >= whole.x && box.x + box.width <= whole.x + whole.width, JSON.stringify(box));
        }
        rows.push(boxes[0].y);
      }
      assert.ok(rows[0] < rows[1], rows.join());
      assert.equal(await strip.locator("line.pair").count(), 3);
    }
  });

  test("the curves of both versions are drawn over one another", async () => {
    for (const id of ["memory-sum", "cpu"]) {
      assert.ok((await inkOf(page, canvasOf(id), "line-candidate")) > 200, id);
    }
    assert.ok((await inkOf(page, canvasOf("memory-sum"), "line-base")) > 200);
  });

  test("the legend says the values of all runs under the cursor", async () => {
    const box = await areaOf(page, "memory-sum");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const legend = await page.locator('[data-chart="memory-sum"] .u-legend').innerText();
    for (const run of ["base 1", "candidate 3"]) {
      assert.match(legend, new RegExp(`${run}[^\n]*\\s*\\d+\\.\\d MiB`));
    }
    await page.mouse.move(0, 0);
  });

  test("the keyboard moves the cursor and zooms both charts", async () => {
    const selector = '[data-chart="memory-sum"]';
    const whole = await rangeOf(page, selector);
    await page.locator(selector).focus();
    for (let step = 0; step < 5; step++) await page.keyboard.press("Shift+ArrowRight");
    assert.match(await page.locator(`${selector} + .spoken`).innerText(), /^0:\d\d\.\d: base 1 \d+\.\d MiB, .*candidate 3 \d/);
    await page.keyboard.press("+");
    const [from, to] = await rangeOf(page, selector);
    assert.ok(to - from < whole[1] - whole[0]);
    for (const range of await ranges(page)) assert.deepEqual(range, [from, to]);
    await page.keyboard.press("0");
    assert.deepEqual(await rangeOf(page, selector), whole);
  });

  test("each chart has a table behind it", async () => {
    const figures = await page.locator("figure:has(.chart)").all();
    assert.equal(figures.length, 2);
    for (const figure of figures) {
      assert.ok((await figure.locator("details tbody tr").count()) > 1);
    }
  });

  test("packages that differ stand above the metrics", async () => {
    assert.match(await page.locator("#packages ~ .scroll").first().innerText(), /Python\s+3\.11\.7\s+3\.12\.1/);
    const tops = await page.locator("h2").evaluateAll((all) => all.map((heading) => heading.id));
    assert.ok(tops.indexOf("packages") < tops.indexOf("metrics"), tops.join());
  });

  test("a run that is left out is named with its errors, as text", async () => {
    const warnings = await page.locator("section:has(#warnings)").innerText();
    assert.match(warnings, /left out of the base: .*failed: api:status.*ValueError/);
    assert.ok(warnings.includes(MARKUP), warnings);
  });

  test("on paper all tables are open", async () => {
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.equal(await page.locator("details:not([open])").count(), 0);
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    assert.equal(await page.locator("details[open]").count(), 0);
  });
});

test("many packages are collapsed below their number", async () => {
  const { page } = await open("many-packages");
  const packages = page.locator("section:has(#packages)");
  assert.match(await packages.locator("summary").innerText(), /^31 packages differ: Python, .* and 26 more$/);
  assert.equal(await packages.locator("table").isVisible(), false);
  await packages.locator("summary").click();
  assert.ok(await packages.locator("table").isVisible());
  await page.context().close();
});

test("without scripts the tables have all data", async () => {
  const { page } = await open("comparison", { javaScriptEnabled: false });
  assert.ok(await page.getByText("Charts need JavaScript").isVisible());
  assert.ok((await page.locator("details table tbody tr").count()) > 20);
  await page.context().close();
});
