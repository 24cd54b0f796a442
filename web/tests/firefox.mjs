// Open pages of the app in Firefox through WebDriver BiDi, and print as JSON what is wrong with each:
//   node tests/firefox.mjs FIREFOX ADDRESS '{"runs": "selector of what the page shows", …}'
import { setTimeout as pause } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';

const MOST_MS = 15_000; // that a page is waited for

const [executablePath, address, pages] = process.argv.slice(2);

/** What a page still lacks; runs in the page. */
function lacking(selector) {
  if (!document.querySelector(selector)?.checkVisibility()) return `no ${selector}`;
  const isLoaded = ({ complete, naturalWidth, loading }) =>
    complete ? naturalWidth > 0 : loading === 'lazy';
  const image = [...document.images].find((image) => !isLoaded(image));
  if (image) return `image ${image.src}`;
  const wider = document.documentElement.scrollWidth - innerWidth;
  return wider > 0 ? `${wider} px wider than the window` : null;
}

/** Faults of one page, in a tab of its own. */
async function faultsOf(browser, path, selector) {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', ({ message }) => faults.push(message));
  page.on('console', (said) => said.type() === 'error' && faults.push(said.text()));
  page.on('request', (request) => {
    const url = request.url();
    if (![address, 'data:', 'blob:'].some((own) => url.startsWith(own))) faults.push(`requested ${url}`);
  });
  page.on(
    'response',
    (answer) => answer.status() >= 400 && faults.push(`${answer.status()} ${answer.url()}`),
  );
  await page.goto(address + path);
  const end = Date.now() + MOST_MS;
  let lack;
  while ((lack = await page.evaluate(lacking, selector)) && Date.now() < end) await pause(100);
  if (lack) faults.push(lack);
  await page.close();
  return faults;
}

const browser = await puppeteer.launch({
  browser: 'firefox',
  executablePath,
  defaultViewport: null, // the window's size: Firefox 140 lacks a command that another needs
  args: ['--width=1280', '--height=800'],
});
const found = { version: await browser.version() };
for (const [path, selector] of Object.entries(JSON.parse(pages)))
  found[path] = await faultsOf(browser, path, selector);
await browser.close();
console.log(JSON.stringify(found));
