// A person in Chromium at the managed issuer, with SDK v2 as the application: setup link, sign-in, consent, account; by clicks, by
// keyboard alone, on a desk and on a phone, by day and by night. Screenshots: build-test/screenshots/.
//   node pages.mjs     GATEHOUSE=FILE: the binary, default ../../build/gatehouse; CHROMIUM=FILE, default /usr/bin/chromium
import http from 'node:http';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { HeadlessProvider } from '../../deploy/demo/user.mjs';
import { browser, clear, look, tabbed, told } from './chromium.mjs';
import { certificates, tail } from './house.mjs';
import { account, managed, turnkey } from './managed.mjs';

let passed = 0;
let failed = 0;
function verdict(title, faults) {
  const found = [faults].flat().filter(Boolean);
  if (found.length) failed++;
  else passed++;
  console.log(found.length ? `FAILED  ${title}: ${found.join(' | ')}` : `ok      ${title}`);
}
const same = (found, expected) => JSON.stringify(found) !== JSON.stringify(expected) && `found ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`;

// Each of these is told, one after the other.
const tells = async (...expected) => {
  let rest = await told(page);
  for (const text of expected) {
    if (!rest.includes(text)) return `${JSON.stringify(text)} is not told in ${rest}`;
    rest = rest.slice(rest.indexOf(text) + text.length);
  }
  return '';
};

// ---- the parties: the house, the browser, and an application that listens on loopback as desktop applications do
clear();
const tls = await certificates();
const house = await managed(tls, { open: false });
let answered = () => {};
const listener = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Back</title><p>Back in the application.');
  if (request.url.startsWith('/callback')) answered(new URL(request.url, 'http://127.0.0.1').searchParams);
});
await new Promise((done) => listener.listen(0, '127.0.0.1', done));
const back = `http://127.0.0.1:${listener.address().port}`;
let { context, page, faults } = await browser(tls, [house.origin, back]);

// An application. `person` is what somebody does in the browser, which has been sent to the issuer.
class Application extends HeadlessProvider {
  asked = 0;

  constructor(person, options = {}) {
    super({ redirectUrl: `${back}/callback`, ...options });
    this.person = person;
  }
  async redirectToAuthorization(url) {
    this.asked++;
    const answer = new Promise((done) => (answered = done));
    await page.goto(String(url));
    await this.person();
    this.callback = await answer;
  }
  async call(url = house.url) {
    for (let tries = 0; tries < 2; tries++) {
      const client = new Client({ name: 'person', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
      const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: this });
      try {
        await client.connect(transport);
        const { content } = await client.callTool({ name: 'echo', arguments: { message: 'hi' } });
        await client.close();
        return content[0].text;
      } catch (error) {
        if (!this.callback || !(error instanceof UnauthorizedError)) throw error;
        const { callback } = this;
        this.callback = null;
        await transport.finishAuth(callback);
      }
    }
    return 'nothing';
  }
}

const leads = async (act) => { // to another page, which is waited for
  const loaded = page.waitForEvent('load');
  await act();
  await loaded;
};
const press = (name) => leads(() => page.getByRole('button', { name }).click());
const signIn = async (password = account.password) => {
  await page.getByLabel('Name').fill(account.name);
  await page.getByLabel('Password').fill(password);
  await press('Sign in');
};
const heading = () => page.getByRole('heading', { level: 1 }).innerText();

// ---- the first account
await page.goto(house.link);
verdict('the setup page', await look(page, 'setup'));
const { reached, unseen } = await tabbed(page);
verdict('the setup page by keyboard', [same(reached, ['Name', 'Password, at least 8 characters', 'The same password once more', 'Make the account']), same(unseen, [])]);
const fill = async (again) => {
  await page.getByLabel('Name').fill(account.name);
  await page.getByLabel('Password, at least').fill(account.password);
  await page.getByLabel('once more').fill(again);
  await press('Make the account');
};
await fill('another password');
verdict('the setup page says what is wrong', [same(await page.getByRole('alert').count(), 1), ...await look(page, 'setup-error')]);
await fill(account.password);
verdict('the account, of which nothing has been given yet', [same(await heading(), 'Your account'), ...await look(page, 'account-empty')]);
await page.goto(house.link);
verdict('the link works once', [same(await heading(), 'This link cannot be used any more'), ...await look(page, 'refusal')]);
await page.goto(`${house.origin}/logout`);
verdict('the page that asks before signing out', [same(await heading(), 'Sign out?'), ...await look(page, 'logout')]);
await press('Sign out');
verdict('signing out', same(await heading(), 'Sign in'));

// ---- by clicks: an application known by its document, and one that registers itself
const documented = new Application(async () => {
  verdict('the sign-in page', await look(page, 'login'));
  await signIn('wrong password');
  verdict('the sign-in page says what is wrong, and waits for the password', [
    same(await page.getByRole('alert').innerText(), 'Name or password are wrong. Try again.'),
    !await page.waitForFunction(() => document.activeElement.id === 'password').catch(() => false) && 'the password has no focus', ...await look(page, 'login-error')]);
  verdict('the sign-in page as a screen reader tells it', await tells(`banner: ${new URL(house.origin).host}`, 'heading "Sign in" [level=1]',
    'alert: Name or password are wrong', 'textbox "Name" [invalid]: ada', 'textbox "Password" [invalid]', 'button "Sign in"'));
  await signIn();
  verdict('the consent page', [same(await heading(), 'Allow access?'), ...await look(page, 'consent')]);
  await press('Allow');
}, { clientMetadataUrl: house.publish('Notebook') });
verdict('SDK v2 by its document, and a person who allows', same(await documented.call(), 'Echo: hi'));

const unknown = `Unbroken${'x'.repeat(92)}`;
const registered = new Application(async () => {
  verdict('the consent page of an application with a long name', await look(page, 'consent-registered'));
  await press('Deny');
});
registered.clientMetadata = { ...registered.clientMetadata, client_name: unknown, scope: 'mcp:read mcp:write mcp:execute' };
const denied = await registered.call().then(() => 'it was let in', (error) => error.message);
verdict('SDK v2 by registration, and a person who denies', !/access_denied|denied/i.test(denied) && denied);
registered.person = () => press('Allow');
verdict('SDK v2 by registration, and a person who allows then', same(await registered.call(), 'Echo: hi'));

// ---- what was given, and taking it back
await page.goto(`${house.origin}/account`);
verdict('the account page', [same(await page.getByRole('heading', { level: 2 }).count(), 2), ...await look(page, 'account')]);
await press('End this access of Notebook');
verdict('an access that was ended is gone', same(await page.getByRole('heading', { level: 2 }).count(), 1));
await house.wait(async () => (await fetch(house.url, { method: 'POST', headers: { authorization: `Bearer ${documented.tokens().access_token}` } })).status === 401);

// ---- another password
await leads(() => page.getByRole('link', { name: 'Change your password' }).click());
verdict('the page for another password', await look(page, 'password'));
const change = async (present, next) => {
  await page.getByLabel('Present password').fill(present);
  await page.getByLabel('New password').fill(next);
  await page.getByLabel('once more').fill(next);
  await press('Change the password');
};
await change('wrong password', 'correct horses');
verdict('it says what is wrong', [same(await page.getByRole('alert').count(), 1), ...await look(page, 'password-error')]);
await change(account.password, 'correct horses');
account.password = 'correct horses';
verdict('the password was changed', same(await heading(), 'Your account'));

// ---- what the SDK does not ask for by itself
const much = new URL(`${house.origin}/oauth/authorize`);
much.search = new URLSearchParams({ response_type: 'code', client_id: house.publish('Editor'), redirect_uri: `${back}/callback`, resource: house.url,
  scope: 'mcp:read mcp:write mcp:execute', state: 'much', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' });
await page.goto(String(much));
verdict('the consent page where writing is asked for', [same(await page.getByRole('listitem').count(), 3), ...await look(page, 'consent-writing')]);

verdict('the consent page as a screen reader tells it', await tells('heading "Allow access?" [level=1]', 'strong: Editor', 'term: You return to',
  `definition: ${new URL(back).host}`, 'term: Server', `definition: Notes ${house.url}`, 'heading "It may then" [level=2]', 'list:', 'strong: change and delete',
  'Nobody can prove which program that is', 'button "Allow"', 'button "Deny"'));

// ---- somebody else, invited by the operator
await page.goto((await house.user('add', 'bob')).link);
verdict('the page behind an invitation', [same(await heading(), 'Choose a password'), ...await look(page, 'invitation')]);
await page.getByLabel('New password').fill('horse correct');
await page.getByLabel('once more').fill('horse correct');
await press('Save the password');
verdict('who was invited is let in', await tells('heading "Your account" [level=1]', 'strong: bob', 'No application has access'));

// ---- by keyboard alone
await page.goto(`${house.origin}/account`);
await press('Sign out');
documented.person = async () => {
  verdict('the sign-in page by keyboard', same(await tabbed(page), { reached: ['Name', 'Password', 'Sign in'], unseen: [] }));
  await page.reload();
  await page.waitForFunction(() => document.activeElement.id === 'username'); // by itself
  await page.keyboard.type(account.name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(account.password);
  await leads(() => page.keyboard.press('Enter'));
  verdict('the consent page by keyboard', same(await tabbed(page), { reached: ['use another', 'Allow', 'Deny'], unseen: [] }));
  await page.keyboard.press('Shift+Tab');
  await leads(() => page.keyboard.press('Enter'));
};
verdict('SDK v2 asks again, and a person with a keyboard alone allows', [same(await documented.call(), 'Echo: hi'), same(documented.asked, 2)]);

// ---- what the browser did all the while, and once more without HTTP/2
verdict('no page asks elsewhere, breaks its policy or writes an error', faults);
const forms = (from) => house.audit().filter((line) => ['/consent', '/login'].includes(line.path) && Date.parse(line.time) >= from);
const versions = async (from) => {
  await house.wait(() => forms(from).some((line) => line.path === '/consent'));
  return [...new Set(forms(from).map((line) => line.http))];
};
verdict('the pages came over HTTP/2', same(await versions(0), ['2']));
await context.close();
const then = Date.now();
({ context, page, faults } = await browser(tls, [house.origin, back], '--disable-http2'));
const old = new Application(async () => {
  await signIn();
  await press('Allow');
}, { clientMetadataUrl: house.publish('Typewriter') });
verdict('SDK v2 by its document, and a person whose browser speaks HTTP/1.1 only', [same(await old.call(), 'Echo: hi'), same(await versions(then), ['1.1']), ...faults]);
await context.close();

// ---- one command, on loopback without TLS
const alone = await turnkey();
({ context, page, faults } = await browser(tls, [alone.origin, back]));
await page.goto(alone.link);
await fill(account.password);
verdict('serve --upstream: the printed link makes the first account', await tells('heading "Your account" [level=1]', `strong: ${account.name}`));
const first = new Application(() => press('Allow')); // who has made the account is signed in
verdict('serve --upstream: SDK v2 by registration, and a person who allows', [same(await first.call(alone.url), 'Echo: hi'), ...faults]);
await context.close();
verdict('the gateways are still up', !(house.alive() && alone.alive()) && 'one ended');
if (failed) console.log(`---- gateway\n${tail('managed', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
