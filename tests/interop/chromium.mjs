// Debian's Chromium, driven by playwright-core: starts it, watches what it does, and looks at a page in every way people do.
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { run } from './house.mjs';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const MODES = [1100, 360].flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ width, colorScheme, name: `${width > 500 ? 'desktop' : 'phone'}-${colorScheme}` })));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = fileURLToPath(new URL('../../build-test/screenshots/', import.meta.url));
mkdirSync(screenshots, { recursive: true });
// For who takes the first ones of a run.
export const clear = () => {
  rmSync(screenshots, { recursive: true, force: true });
  mkdirSync(screenshots, { recursive: true });
};

// A browser with a fresh profile that trusts this certificate's key. `own`: the origins it may ask; `faults`: what else it did,
// errors on its console among it, where every breach of the content security policy is written.
export async function browser(tls, own, ...flags) {
  const key = new X509Certificate(readFileSync(tls.certificate)).publicKey.export({ type: 'spki', format: 'der' });
  const context = await chromium.launchPersistentContext(mkdtempSync(join(run, 'profile-')), {
    executablePath: EXECUTABLE, headless: true, args: [...FLAGS, ...flags, `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`],
  });
  const faults = [];
  const refused = new Set(); // pages that are errors are written to the console too
  const page = context.pages()[0] ?? await context.newPage();
  page.on('request', (request) => own.includes(new URL(request.url()).origin) || faults.push(`it asked ${request.url()}`));
  page.on('requestfailed', (request) => faults.push(`${request.url()} failed: ${request.failure().errorText}`));
  page.on('response', (response) => response.request().isNavigationRequest() && response.status() >= 400 && refused.add(response.url()));
  page.on('pageerror', (error) => faults.push(`a script: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !(refused.has(message.location().url) && /^Failed to load resource/.test(message.text())))
      faults.push(`the console: ${message.text()}`);
  });
  return { context, page, faults };
}

// What nobody should meet on a phone: a page wider than the screen, a target too small for a thumb, text too small to type into.
const cramped = () => [
  document.documentElement.scrollWidth > innerWidth && `the page is ${document.documentElement.scrollWidth} wide`,
  ...[...document.querySelectorAll('button, input:not([type=hidden])')].filter((e) => e.getBoundingClientRect().height < 44).map((e) => `${e.outerHTML.slice(0, 60)} is low`),
  ...[...document.querySelectorAll('input:not([type=hidden])')].filter((e) => parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => `${e.name} has small text`),
  document.scripts.length > 0 && 'there is a script',
].filter(Boolean);

// What a screen reader tells of the page: a line for each thing with its role, name and state.
export const told = (page) => page.locator('body').ariaSnapshot();

// Takes a picture of the page on a desk and on a phone, by day and by night, writes down what a screen reader tells, and returns what is wrong with it: what axe finds by the
// rules of WCAG 2.2 AA (labels, headings, landmarks, contrast as computed), and what is cramped on a phone.
export async function look(page, name) {
  const found = [];
  const backs = [];
  writeFileSync(join(screenshots, `${name}.txt`), `${await told(page)}\n`);
  for (const { width, colorScheme, name: mode } of MODES) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(screenshots, `${name}-${mode}.png`), fullPage: true });
    backs.push(await page.evaluate(() => getComputedStyle(document.querySelector('main')).backgroundColor));
    if (mode === 'phone-light' || mode === 'desktop-dark') {
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      found.push(...violations.map(({ id, nodes }) => `${mode}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`));
      for (const rule of ['color-contrast', 'document-title', 'html-has-lang', 'page-has-heading-one', 'landmark-one-main'])
        if (!passes.some(({ id }) => id === rule)) found.push(`${mode}: ${rule} was not found to hold`);
    }
    if (width < 500) found.push(...(await page.evaluate(cramped)).map((what) => `${mode}: ${what}`));
  }
  if (backs[0] === backs[1]) found.push('it is the same by day and by night');
  await page.setViewportSize({ width: 320, height: 640 });
  found.push(...(await page.evaluate(cramped)).map((what) => `at 320: ${what}`));
  await page.setViewportSize({ width: 1100, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
  return found;
}

// Goes through the page by the tab key, from what has the focus by itself: what is reached, in order, and what cannot be seen to be.
export async function tabbed(page) {
  await page.waitForFunction(() => [null, document.activeElement].includes(document.querySelector('[autofocus]')));
  const reached = [];
  const unseen = [];
  const all = await page.evaluate(() => [...document.querySelectorAll('a[href], button, input:not([type=hidden])')].length);
  for (let i = 0; i < all; i++) {
    if (i > 0 || await page.evaluate(() => document.activeElement === document.body)) await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const { activeElement: e } = document;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      return { name: (e.labels?.[0] ?? e).textContent.trim(), seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
    });
    reached.push(at.name);
    if (!at.seen) unseen.push(at.name);
  }
  return { reached, unseen };
}
