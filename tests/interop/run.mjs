// Real clients x real servers through the gateway: discovery, code flow, call, refresh. One line per case, then the sum.
//   node run.mjs [--plain] [--only PATTERN] [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
// --plain runs without TLS, and so without the HTTP/2 client. Exit status 0 when every case passed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assertion } from './assertion.mjs';
import { certificates, finish, house, log, paths, run, tail } from './house.mjs';

const { values: opts } = parseArgs({ options: { plain: { type: 'boolean' }, only: { type: 'string' }, verbose: { type: 'boolean' } } });
const tls = opts.plain ? undefined : await certificates();
const ca = tls && { NODE_EXTRA_CA_CERTS: tls.ca };

// ---- the parties
const ECHO = ['--call', 'echo:{"message":"hi"}'];
const sdk = (file, ...args) => (name, url) => [
  { args: [paths.node, `${paths.here}${file}`, url, ...args, ...ECHO, ...ECHO, '--refresh', ...(SERVERS[name].slow ? ['--call', SERVERS[name].slow] : [])] },
];
const clients = {
  'SDK v1': sdk('client-v1.mjs'),
  'SDK v2': sdk('client-v2.mjs'),
  ...(tls && { 'SDK v2, h2': sdk('client-v2.mjs', '--h2') }),
  // mcp-remote keeps its tokens between two runs: the second one has to refresh.
  'mcp-remote': (name, url) => {
    const env = { STATE: join(run, `mcp-remote-${name}`) };
    const args = ['bash', `${paths.here}mcp-remote.sh`, url];
    return [{ args, env }, { args, env: { ...env, REFRESH: '1' } }];
  },
};
const SERVERS = {
  everything: { title: 'server-everything', says: 'mcp-servers/everything' },
  demo: { title: 'dual-era demo', says: 'gatehouse-demo', slow: 'slow:{"n":3,"ms":40}' },
};

// ---- one client against one server: what happened, from the client's report, its trace and the issuer's log
const lines = (text) => text.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

async function observe(client, name, { issuer, resource }) {
  const began = Date.now();
  const url = resource(name);
  const reports = [];
  let trace = [];
  for (const { args: [command, ...args], env } of clients[client](name, url)) {
    const { code, stdout } = await finish('client', command, args, { ...ca, ...env });
    reports.push({ code, ...lines(stdout).at(-1) });
    trace = [...trace, ...lines(readFileSync(log('client'), 'utf8'))];
  }
  const seen = (await issuerLog(issuer)).filter((entry) => entry.at >= began);
  const results = reports.flatMap((report) => report.results ?? []);
  return { url, reports, trace, seen, results };
}

const said = (result, text) => result?.ok && JSON.stringify(result.content).includes(text);

// Each check throws or returns; the first line of what it throws is printed.
const need = (condition, what) => {
  if (!condition) throw new Error(what);
};
const checks = {
  discovery({ url, trace, seen }) {
    const authorize = seen.find((e) => e.pkce);
    need(authorize?.resource === url, `the authorization request names ${authorize?.resource}`);
    if (!trace.some((e) => e.status)) return; // mcp-remote prints no trace; it takes the resource from the metadata only
    const challenge = trace.find((e) => e.status === 401)?.challenge;
    need(/^Bearer .*resource_metadata="/.test(challenge ?? ''), `the challenge is ${challenge}`);
    const metadata = /resource_metadata="([^"]+)"/.exec(challenge)[1];
    need(trace.some((e) => e.url === metadata && e.status === 200), `${metadata} was not read`);
  },
  'code flow'({ url, seen }) {
    need(seen.some((e) => e.method === 'POST' && e.path === '/reg'), 'no registration');
    need(seen.some((e) => e.pkce === 'S256'), 'no PKCE with S256');
    need(seen.some((e) => e.grant === 'authorization_code' && e.resource === url), 'no code was redeemed for the resource');
  },
  call({ reports: [first], results }, { says }) {
    need(first.server?.name === says, `the server says it is ${first.server?.name}`);
    need(said(results[0], 'hi'), `the call ended in ${JSON.stringify(results[0])}`);
  },
  refresh({ url, reports, results, seen }) {
    need(seen.some((e) => e.grant === 'refresh_token' && e.resource === url), 'no refresh token was redeemed');
    need(seen.filter((e) => e.grant === 'authorization_code').length === 1, 'the user had to sign in again');
    need(said(results[1], 'hi'), `the call after it ended in ${JSON.stringify(results[1])}`);
    need(reports.every(({ code }) => code === 0), 'the client ended with an error');
  },
};
const stream = ({ results }) => {
  const slow = results.find((result) => result.tool === 'slow');
  need(said(slow, 'counted to 3') && slow.progress === 3, `the streamed call ended in ${JSON.stringify(slow)}`);
};

const http2 = ({ url, trace }) =>
  need(trace.some((e) => e.connected === new URL(url).host && e.alpn === 'h2'), 'the gateway was not reached over HTTP/2');

// ---- the matrix
const issuerLog = async (issuer) => (await fetch(`${issuer}/_test/log`)).json();
let passed = 0;
let failed = 0;
function verdict(name, check) {
  try {
    check();
    passed++;
    console.log(`ok      ${name}`);
    return true;
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}: ${error.message}`);
    return false;
  }
}

// A token that runs out by itself: the gateway must refuse it, and the client refresh without being told.
async function expiry(gateway) {
  const ttl = (seconds) => fetch(`${gateway.issuer}/_test/ttl`, { method: 'POST', body: JSON.stringify({ seconds }) });
  clients.expiry = (name, url) => [{ args: [paths.node, `${paths.here}client-v2.mjs`, url, ...ECHO, ...ECHO, '--wait', '4000'] }];
  await ttl(3);
  const observed = await observe('expiry', 'demo', gateway);
  await ttl(600);
  verdict('SDK v2 - dual-era demo: refresh after expiry', () => {
    need(observed.trace.some((e) => e.status === 401 && /error="invalid_token"/.test(e.challenge)), 'the expired token was not refused');
    checks.refresh(observed);
  });
}

// The documentation's example for Node at a server that is not an MCP server at all.
async function asserted(gateway) {
  const seen = await assertion(gateway.issuer, tls?.ca);
  verdict('jose verifies the assertion as the documentation says', () => {
    need(seen.through.status === 200, `the server answered ${seen.through.status} ${JSON.stringify(seen.through.body)}`);
    need(seen.through.body.user === JSON.stringify(['acme', 'idp', 'svc']), `the caller is ${seen.through.body.user}`);
    need(seen.through.body.scopes.join() === 'mcp:read', `the scopes are ${seen.through.body.scopes}`);
    need(seen.again.status === 200, 'the very same is not accepted again');
  });
  verdict('jose refuses what is no assertion for this server', () => {
    for (const bad of ['without', 'bent', 'token']) need(seen[bad].status === 401, `${bad}: ${seen[bad].status}`);
  });
}

const gateway = await house({ tls, issuerEnv: { AT_TTL: '600' } });
for (const client of Object.keys(clients)) {
  for (const [name, server] of Object.entries(SERVERS)) {
    const title = `${client} - ${server.title}`;
    if (opts.only && !title.includes(opts.only)) continue;
    const observed = await observe(client, name, gateway);
    const all = {
      ...checks,
      ...(client.endsWith('h2') && { 'over HTTP/2': http2 }),
      ...(server.slow && client !== 'mcp-remote' && { 'stream with progress': stream }),
    };
    const good = Object.entries(all).map(([what, check]) => verdict(`${title}: ${what}`, () => check(observed, server))).every(Boolean);
    if (!good || opts.verbose) console.log(tail('client', 25), `\n---- issuer: ${JSON.stringify(observed.seen)}`);
  }
}
if (!opts.only) await expiry(gateway);
if (!opts.only) await asserted(gateway);
verdict('the servers never see a token', () => need(!/"authorization"|eyJ/.test(readFileSync(log('demo'), 'utf8')), 'one did'));
verdict('the audit log holds no token', () => {
  const audit = readFileSync(gateway.audit, 'utf8');
  need(audit.trim() !== '', 'it is empty');
  need(!/eyJ[\w-]+\./.test(audit), 'it does');
});
verdict('the gateway is still up', () => need(gateway.alive(), 'it ended'));
if (failed) console.log(`---- gateway\n${tail('gateway', 30)}`);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
