// A real OpenID provider (oidc-provider) tells the gateway by its back channel that somebody has signed out there: their tokens end
// here, and nobody else's. One line per case, then the sum.
//   node logout.mjs     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { paths, run, start, tail, until } from './house.mjs';
import { lines } from './managed.mjs';

const CALLBACK = 'http://127.0.0.1:8765/callback';
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'; // RFC 7636 appendix B
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

let passed = 0;
let failed = 0;
function verdict(name, condition, found) {
  if (condition) passed++;
  else failed++;
  console.log(condition ? `ok      ${name}` : `FAILED  ${name}: ${found}`);
}

// ---- the parties
const [port, adminPort] = await freePorts(0, 0);
const origin = `http://127.0.0.1:${port}`;
const resource = `${origin}/mcp`;
const application = { client_id: 'app', token_endpoint_auth_method: 'none', application_type: 'native', redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'], backchannel_logout_uri: `${origin}/back-channel/idp`, backchannel_logout_session_required: true };
const [issuerFile, demoFile, audit, settings] = ['issuer.json', 'demo.json', 'audit.jsonl', 'gatehouse.json'].map((name) => join(run, name));
const provider = start('issuer', paths.node, [paths.issuer], { PORT: 0, READY_FILE: issuerFile, RELYING: JSON.stringify([application]) });
const demo = start('demo', paths.node, [paths.demo], { PORT: 0, READY_FILE: demoFile, LOG: '1' });
const { issuer } = await until('issuer', provider, () => JSON.parse(readFileSync(issuerFile, 'utf8')));
const upstream = (await until('demo', demo, () => JSON.parse(readFileSync(demoFile, 'utf8')))).url;
writeFileSync(settings, JSON.stringify({
  listen: [{ address: `127.0.0.1:${port}` }], admin: { address: `127.0.0.1:${adminPort}` }, audit: { file: audit },
  fetch: { allow_http_loopback: true }, store: `sqlite:${join(run, 'gatehouse.db')}`,
  issuers: { idp: { issuer, back_channel: { url: `${origin}/back-channel/idp`, audiences: ['app'] } } },
  tenants: { main: { hosts: [`127.0.0.1:${port}`], issuers: ['idp'] } },
  routes: [{ name: 'notes', tenant: 'main', resource, upstream, scopes: ['mcp:read'] }],
}));
const gateway = start('gateway', paths.gatehouse, ['serve', '-c', settings]);
await until('gateway', gateway, async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200);

// ---- somebody's browser at the provider: one jar of cookies
class Browser {
  #jar = new Map();

  async open(url, form) {
    for (let hops = 0; hops < 12 && !url.startsWith(CALLBACK); hops++) {
      const headers = { accept: 'text/html', cookie: [...this.#jar].map((pair) => pair.join('=')).join('; ') };
      const response = await fetch(url, { redirect: 'manual', headers, ...(form && { method: 'POST', body: form }) });
      form = undefined;
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value) this.#jar.set(name, value);
        else this.#jar.delete(name);
      }
      const next = response.headers.get('location');
      if (!next) return { url, status: response.status, body: await response.text() };
      url = new URL(next, url).href;
    }
    return { url, status: null, body: '' };
  }
}

async function signIn(user) {
  const browser = new Browser();
  const asked = new URLSearchParams({ response_type: 'code', client_id: 'app', redirect_uri: CALLBACK, state: 's', login_hint: user, scope: 'openid mcp:read',
    code_challenge: CHALLENGE, code_challenge_method: 'S256', resource });
  const { url } = await browser.open(`${issuer}/auth?${asked}`);
  const code = new URL(url).searchParams.get('code');
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'authorization_code', client_id: 'app', code,
    redirect_uri: CALLBACK, code_verifier: VERIFIER, resource }) });
  return { browser, ...(await answer.json()) };
}

async function signOut({ browser, id_token }) {
  const page = await browser.open(`${issuer}/session/end?${new URLSearchParams({ id_token_hint: id_token, client_id: 'app' })}`);
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(page.body) ?? [];
  const [, xsrf] = /name="xsrf" value="([^"]+)"/.exec(page.body) ?? [];
  return browser.open(new URL(action, issuer).href, new URLSearchParams({ xsrf, logout: 'yes' }));
}

const call = async ({ access_token }) => (await fetch(resource, { method: 'POST',
  headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } }) })).status;

// ---- the cases
try {
  const [alice, bob] = [await signIn('alice'), await signIn('bob')];
  const before = [await call(alice), await call(bob)];
  verdict('both are let in before', before.every((status) => status === 200), before);
  const end = await signOut(alice);
  verdict('the provider signs alice out', end.status === 200, `${end.status} ${end.url}`);
  const told = await until('gateway', gateway, () => lines(readFileSync(audit, 'utf8')).find(({ path }) => path === '/back-channel/idp'));
  verdict('its logout token is believed', told.status === 200 && told.reason === 'ok' && told.revoked === 'user' && told.user === 'alice', JSON.stringify(told));
  const after = [await call(alice), await call(bob)];
  verdict('her token has ended, that of bob has not', after[0] === 401 && after[1] === 200, after);
  const line = await until('gateway', gateway, () => lines(readFileSync(audit, 'utf8')).findLast(({ status }) => status === 401));
  verdict('the audit log says why', line?.reason === 'token_revoked', JSON.stringify(line));
  const moment = Math.floor(Date.parse(told.time) / 1000); // tokens of the second of the logout have ended too
  await until('gateway', gateway, () => Date.now() / 1000 >= moment + 2);
  const again = await signIn('alice');
  const status = await call(again);
  verdict('who signs in once more is let in', status === 200, status);
} catch (error) {
  verdict('all cases ran', false, `${error.stack}\n${tail('gateway')}\n${tail('issuer')}`);
}
verdict('the gateway runs on', gateway.exitCode === null && gateway.signalCode === null, tail('gateway'));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
