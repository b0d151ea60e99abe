// A person in Chromium who signs in at a provider of another site, and at one beside it that is down: consent first, the provider, the
// application. What only a browser holds to is tried here: SameSite, __Host- cookies, form-action. Screenshots: build-test/screenshots/.
//   node sign-in.mjs     GATEHOUSE=FILE: the binary, default ../../build/gatehouse; CHROMIUM=FILE, default /usr/bin/chromium
import http from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { browser, look } from './chromium.mjs';
import { certificates, paths, run, start, tail, until } from './house.mjs';
import { managed } from './managed.mjs';

let passed = 0;
let failed = 0;
function verdict(title, faults) {
  const found = [faults].flat().filter(Boolean);
  if (found.length) failed++;
  else passed++;
  console.log(found.length ? `FAILED  ${title}: ${found.join(' | ')}` : `ok      ${title}`);
}
const same = (found, expected) => JSON.stringify(found) !== JSON.stringify(expected) && `found ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`;

// ---- the house on https://localhost, the provider on http://127.0.0.1: two sites
const SECRET = 'a secret of ours';
writeFileSync(join(run, 'provider.secret'), SECRET, { mode: 0o600 });
const providerFile = join(run, 'provider.json');
let issuer;
const login = async (origin) => {
  const relying = ['corp', 'gone'].map((name) => ({ client_id: name, client_secret: SECRET, redirect_uris: [`${origin}/login/callback/${name}`] }));
  const provider = start('provider', paths.node, [paths.issuer], { PORT: 0, READY_FILE: providerFile, SHAPE: 'google', RELYING: JSON.stringify(relying) });
  ({ issuer } = await until('provider', provider, () => JSON.parse(readFileSync(providerFile, 'utf8'))));
  const common = { issuer, client_secret_file: join(run, 'provider.secret') };
  return { accounts: 'on', login: { corp: { ...common, name: 'Example Corp', client_id: 'corp' },
    gone: { ...common, name: 'A provider that is gone', client_id: 'gone', token_endpoint: 'http://127.0.0.1:1/token', jwks: `${issuer}/jwks`, authorization_endpoint: `${issuer}/auth` } } };
};
const tls = await certificates();
const house = await managed(tls, { open: false, issuer: login });
const listener = http.createServer((request, response) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Back</title><p>Back in the application.'));
await new Promise((done) => listener.listen(0, '127.0.0.1', done));
const back = `http://127.0.0.1:${listener.address().port}`;
const { context, page, faults } = await browser(tls, [house.origin, back, new URL(issuer).origin]);

const registered = await (await fetch(`${house.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ client_name: 'An application', redirect_uris: [`${back}/callback`] }) })).json();
const asked = (more = {}) => `${house.origin}/oauth/authorize?${new URLSearchParams({ response_type: 'code', client_id: registered.client_id,
  redirect_uri: `${back}/callback`, state: 's', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', resource: house.url, ...more })}`;
const heading = () => page.getByRole('heading', { level: 1 }).innerText();
const cookies = async () => (await context.cookies(house.origin)).map(({ name, sameSite, secure, httpOnly }) => `${name} ${sameSite} ${secure} ${httpOnly}`).sort();

// ---- the way there and back
await page.goto(asked());
verdict('consent comes first', [same(await heading(), 'Allow access?'), same((await cookies()).filter((one) => one.includes('agreed')), [])]);
verdict('the consent page of a stranger', await look(page, 'sign-in-consent'));
await page.getByRole('button', { name: 'Allow' }).click();
await page.waitForURL(/\/login\?/);
verdict('then the choice', same(await heading(), 'Sign in'));
verdict('the page with providers', await look(page, 'sign-in-choice'));
verdict('the proof of consent', same((await cookies()).filter((one) => one.includes('agreed')), ['__Host-gatehouse-agreed Lax true true']));
await page.getByRole('link', { name: 'Sign in with Example Corp' }).click();
await page.waitForURL(`${back}/**`);
verdict('back in the application, with a code', !/[?&]code=/.test(page.url()) && page.url());
verdict('signed in', !(await cookies()).includes('__Host-gatehouse Lax true true') && String(await cookies()));

// ---- again: nobody is asked anything
await page.goto(asked());
verdict('the second time nothing is asked', !/[?&]code=/.test(page.url()) && page.url());

// ---- a new question with prompt=login: consent of the same person, the provider, the code
await page.goto(asked({ prompt: 'login' }));
await page.getByRole('button', { name: 'Allow' }).click();
await page.getByRole('link', { name: 'Sign in with Example Corp' }).click();
await page.waitForURL(`${back}/**`);
verdict('a fresh sign-in where the client wants one', !/[?&]code=/.test(page.url()) && page.url());

// ---- refusals are pages
await page.goto(asked({ prompt: 'login', login_hint: 'deny' }));
await page.getByRole('button', { name: 'Allow' }).click();
await page.getByRole('link', { name: 'Sign in with Example Corp' }).click();
verdict('the provider says no', [same(await heading(), 'You were not signed in'), ...(await look(page, 'sign-in-refused'))]);
await page.goto(asked({ prompt: 'login' }));
await page.getByRole('button', { name: 'Allow' }).click();
await page.getByRole('link', { name: 'Sign in with A provider that is gone' }).click();
await page.waitForURL(/\/login\/callback\/gone/);
verdict('the provider is gone', [same(await heading(), 'Sign-in is not available at the moment'), ...(await look(page, 'sign-in-unavailable'))]);
const gone = page.url();
await page.goto(gone);
verdict('a page loaded again', [same(await heading(), 'This sign-in is over'), ...(await look(page, 'sign-in-over'))]);

verdict('no page asked elsewhere, breached its policy or wrote to the console', faults);
verdict('the gateway is still up', !house.alive() && tail('managed'));
await context.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
