// People sign in at a real OpenID provider that writes ID tokens as Entra ID, Okta, Google and Cognito do; real MCP clients deal
// with our issuer alone. One line per case, then the sum.
//   node bridge.mjs [--only PATTERN]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { walk } from '../../deploy/demo/user.mjs';
import { finish, log, paths, run, start, tail, until } from './house.mjs';
import { lines } from './managed.mjs';

const { values: opts } = parseArgs({ options: { only: { type: 'string' } } });
const SECRET = 'a secret: 100% &+=/?#';
const file = (name, text) => (writeFileSync(join(run, name), text, { mode: 0o600 }), join(run, name));
const secret = { client_secret_file: file('provider.secret', SECRET) };

let passed = 0;
let failed = 0;
function verdict(name, condition, found) {
  if (condition) passed++;
  else failed++;
  console.log(condition ? `ok      ${name}` : `FAILED  ${name}: ${found}`);
}

// ---- our key at a provider that wants one
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' };
jwk.kid = await calculateJwkThumbprint(jwk);
const key = { key_file: file('provider.key', privateKey.export({ type: 'pkcs8', format: 'pem' })) };

// What each connection says beside issuer and client id; who is refused there, as bob, and why.
const SHAPES = {
  'entra-id': { login: { profile: 'entra-id', tenants: ['11111111-2222-3333-4444-555555555555'], auth: 'client_secret_post', ...secret }, bob: 'login_user' },
  okta: { login: { profile: 'okta', auth: 'private_key_jwt', ...key }, bob: 'ok' },
  google: { login: { profile: 'google', tenants: ['example.com'], auth: 'client_secret_post', ...secret }, bob: 'login_user' },
  cognito: { login: { profile: 'cognito', auth: 'client_secret_basic', ...secret }, bob: 'ok' },
};

async function bridge(shape, { login }) {
  const [port] = await freePorts(0);
  const origin = `http://127.0.0.1:${port}`;
  const providerFile = join(run, `${shape}-provider.json`);
  const redirect_uris = [`${origin}/login/callback/corp`];
  const by = login.auth === 'private_key_jwt' ? { jwks: { keys: [jwk] }, token_endpoint_auth_signing_alg: 'ES256' } : { client_secret: SECRET };
  const relying = [{ client_id: 'gatehouse', redirect_uris, token_endpoint_auth_method: login.auth, grant_types: ['authorization_code'], ...by }];
  const provider = start(`${shape}-provider`, paths.node, [paths.issuer], { PORT: 0, READY_FILE: providerFile, SHAPE: shape, RELYING: JSON.stringify(relying) });
  const { issuer } = await until(`${shape}-provider`, provider, () => JSON.parse(readFileSync(providerFile, 'utf8')));
  const demoFile = join(run, `${shape}-demo.json`);
  const demo = start(`${shape}-demo`, paths.node, [paths.demo], { PORT: 0, READY_FILE: demoFile, LOG: '1' });
  const upstream = (await until(`${shape}-demo`, demo, () => JSON.parse(readFileSync(demoFile, 'utf8')))).url;
  const [adminPort] = await freePorts(0);
  const audit = join(run, `${shape}-audit.jsonl`);
  const settings = file(`${shape}.json`, JSON.stringify({
    listen: [{ address: `127.0.0.1:${port}` }], admin: { address: `127.0.0.1:${adminPort}` }, audit: { file: audit },
    fetch: { allow_http_loopback: true }, store: `sqlite:${join(run, `${shape}.db`)}`,
    issuers: { house: { managed: { url: origin, keys: join(run, `${shape}-keys`), registration: 'on',
      login: { corp: { issuer, client_id: 'gatehouse', name: shape, ...login } } } } },
    tenants: { main: { hosts: [`127.0.0.1:${port}`], issuers: ['house'] } },
    routes: [{ name: 'notes', tenant: 'main', resource: `${origin}/mcp`, upstream, scopes: ['mcp:read'] }],
  }));
  const gateway = start(shape, paths.gatehouse, ['serve', '-c', settings]);
  await until(shape, gateway, async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200);
  return { origin, issuer, audit: () => lines(readFileSync(audit, 'utf8')), alive: () => gateway.exitCode === null };
}

// An authorization request by hand, as somebody at the provider: where it ends, and under which reason the callback did.
async function visit(house, user) {
  const registered = await fetch(`${house.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'By hand', redirect_uris: ['http://127.0.0.1/callback'] }) });
  const { client_id } = await registered.json();
  const asked = new URLSearchParams({ response_type: 'code', client_id, redirect_uri: 'http://127.0.0.1:8765/callback', state: 's', login_hint: user,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', resource: `${house.origin}/mcp` });
  const before = house.audit().length;
  const end = await walk(`${house.origin}/oauth/authorize?${asked}`, { account: { name: user, password: '-' },
    stopAt: (url) => url.startsWith('http://127.0.0.1:8765/') });
  await new Promise((done) => setTimeout(done, 100)); // lines are written behind the answers
  const line = house.audit().slice(before).find(({ path }) => path === '/login/callback/corp');
  return { ...end, line };
}

const env = { WALK_AS: 'alice:-' };
for (const [shape, made] of Object.entries(SHAPES)) {
  if (opts.only && !shape.includes(opts.only)) continue;
  const house = await bridge(shape, made);
  for (const [name, args] of Object.entries({
    'SDK v1': ['client-v1.mjs'], 'SDK v2, handshake era': ['client-v2.mjs', '--era', 'legacy'], 'SDK v2, 2026-07-28': ['client-v2.mjs', '--era', '2026-07-28'],
  })) {
    const call = ['--call', 'echo:{"message":"hi"}'];
    const { code, stdout } = await finish('client', paths.node, [`${paths.here}${args[0]}`, `${house.origin}/mcp`, ...args.slice(1), ...call, ...call, '--refresh'], env);
    const { results = [] } = JSON.parse(stdout.split('\n').filter((text) => text.startsWith('{')).at(-1) ?? '{}');
    const good = code === 0 && results.length === 2 && results.every((result) => result.ok && JSON.stringify(result.content).includes('hi'));
    verdict(`${shape}, ${name}: calls before and after a refresh`, good, `${code}: ${stdout}\n${tail('client')}`);
  }
  const alice = await visit(house, 'alice');
  verdict(`${shape}: alice comes back with a code`, /[?&]code=/.test(alice.url), alice.url + alice.body);
  const users = new Set(house.audit().filter(({ path }) => path === '/login/callback/corp').map(({ user }) => user));
  verdict(`${shape}: she is one user, however often`, users.size === 1 && [...users][0].startsWith('usr_'), [...users].join());
  const bob = await visit(house, 'bob');
  verdict(`${shape}: bob ends with ${made.bob}`, bob.line?.reason === made.bob && bob.line.user !== [...users][0], JSON.stringify(bob.line));
  const nobody = await visit(house, 'deny');
  verdict(`${shape}: who gives up is not signed in`, nobody.line?.reason === 'login_refused', JSON.stringify(nobody.line));
  verdict(`${shape}: the gateway is still up, and wrote no token`, house.alive() && !/eyJ[\w-]+\./.test(readFileSync(log(shape), 'utf8')), tail(shape));
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
