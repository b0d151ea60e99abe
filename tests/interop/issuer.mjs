// Real clients at the managed issuer: registered by themselves and known by their document, over HTTP/1.1 and HTTP/2; and at
// `gatehouse serve --upstream URL` alone. Each discovers, is signed in and allowed by a scripted user, calls, and refreshes.
//   node issuer.mjs [--only PATTERN] [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { walk } from '../../deploy/demo/user.mjs';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { certificates, finish, log, paths, run, tail } from './house.mjs';
import { account, lines, managed, turnkey } from './managed.mjs';

const { values: opts } = parseArgs({ options: { only: { type: 'string' }, verbose: { type: 'boolean' } } });

let passed = 0;
let failed = 0;
function verdict(name, condition, found) {
  if (condition) passed++;
  else failed++;
  console.log(condition ? `ok      ${name}` : `FAILED  ${name}: ${found}`);
}

// ---- the clients: what is run for one case, against `url`, known by the document `cimd` or, without one, by registration
const ECHO = ['--call', 'echo:{"message":"hi"}'];
const sdk = (file, ...more) => ({ url, cimd }) => [{ args: [paths.node, `${paths.here}${file}`, url, ...ECHO, ...ECHO, '--refresh', ...more, ...(cimd ? ['--cimd', cimd] : [])] }];
// These keep what they got between two runs: the second one has to refresh.
const twice = (script, { state, env, args = [] }) => ['', '1'].map((REFRESH) => ({
  args: ['bash', `${paths.here}${script}`, ...args], env: { STATE: join(run, state), REFRESH, ...env },
}));
const clients = {
  // 1.13 knows nothing of documents: its host has to bring the URL as its client id.
  'SDK v1.13': ({ url, cimd }) => sdk('client-v1.mjs', '--sdk', 'sdk-1.13', ...(cimd ? ['--client-id', cimd] : []))({ url }),
  'SDK v1.25': sdk('client-v1.mjs', '--sdk', 'sdk-1.25'),
  'SDK v1.32': sdk('client-v1.mjs'),
  'SDK v2, handshake era': sdk('client-v2.mjs', '--era', 'legacy'),
  'SDK v2, 2026-07-28': sdk('client-v2.mjs', '--era', '2026-07-28'),
  'mcp-remote': ({ url, cimd, state, port }) => twice('mcp-remote.sh', { state, args: [url, String(port), ...(cimd ? ['--client-metadata-url', cimd] : [])] }),
  'Inspector': ({ url, cimd, state, port }) => twice('inspector.sh', { state, args: [url, '--callback-url', `http://127.0.0.1:${port}/oauth/callback`], env: cimd && { CIMD_URL: cimd } }),
};

// ---- one case: what the client reports, and what the gateway saw of it
const said = (report) => report.results?.length > 0 && report.results.every(({ ok, content }) => ok && JSON.stringify(content).includes('hi'));
const report = ({ code, stdout }) => {
  const { result, ...rest } = lines(`${stdout}\n`).at(-1) ?? {};
  return { code, ...rest, ...(result && { results: [{ ok: !result.isError, content: result.content }] }) }; // Inspector prints the answer itself
};

async function attempt(title, runs, { audit, wait, env, cimd, http, consents = 1 }) {
  if (opts.only && !title.includes(opts.only)) return;
  const began = Date.now();
  const reports = [];
  for (const { args: [command, ...args], env: more } of runs) {
    reports.push(report(await finish(title, command, args, { WALK_AS: `${account.name}:${account.password}`, ...env, ...more })));
  }
  const seen = () => audit().filter((line) => Date.parse(line.time) >= began); // a line has the time at which its request came
  const count = (path) => seen().filter((line) => line.path === path && line.reason === 'ok').length;
  await wait(() => count('/oauth/token') >= 2 && count('/consent') >= consents).catch(() => {}); // lines are written behind the answers
  const calls = seen().filter((line) => line.path === '/mcp' && line.reason === 'ok');
  const expect = { '/oauth/token': 2, '/consent': consents, '/oauth/register': cimd ? 0 : 1 }; // a code and a refresh, one sign-in
  const faults = [
    !reports.every((one) => one.code === 0 && said(one)) && 'not every call succeeded',
    reports.reduce((sum, { results }) => sum + (results?.length ?? 0), 0) < 2 && 'there were fewer than two calls',
    ...Object.entries(expect).map(([path, times]) => count(path) !== times && `${count(path)} times ${path}, not ${times}`),
    !calls.every(({ client }) => (cimd ? client === cimd : client.startsWith('dcr_'))) && `the client is known as ${calls[0]?.client}`,
    !seen().every((line) => line.http === http) && `not all over HTTP/${http}`,
  ].filter(Boolean);
  verdict(title, faults.length === 0, `${faults.join('; ')}: ${JSON.stringify(reports)}`);
  if (!opts.verbose && !faults.length) return;
  const exchanges = seen().map((line) => [line.http, line.method, line.path, line.status, line.reason, line.client].join(' '));
  console.log([`---- ${title}: ${Date.now() - began} ms`, tail(title, 30), ...exchanges].join('\n'));
}

// ---- behind TLS: every client in every way, each way at a gateway of its own, both at once
const tls = await certificates();
const ports = await freePorts(...Array(40).fill(0));
const houses = { registration: await managed(tls, { name: 'registration' }), CIMD: await managed(tls, { name: 'CIMD' }) };

async function everyClient(way, house) {
  for (const [name, runs] of Object.entries(clients)) {
    const cimd = way === 'CIMD' ? house.publish(name) : undefined;
    for (const [version, http] of [['h1', '1.1'], ['h2', '2']]) {
      const title = `${name}, by ${way}, ${version}`;
      const env = { NODE_EXTRA_CA_CERTS: tls.ca, ...(version === 'h2' && { NODE_OPTIONS: `--import ${paths.here}h2.mjs` }) };
      const consents = cimd && version === 'h2' ? 0 : 1; // the same client, user, server and scopes as before: nothing is asked again
      await attempt(title, runs({ url: house.url, cimd, state: title, port: ports.pop() }), { ...house, env, cimd, http, consents });
    }
  }
}

// ---- one command, on loopback without TLS
const gateway = await turnkey();
const made = await walk(gateway.link, { account });
verdict('serve --upstream: the printed link makes the first account', made.status === 200 && made.url.endsWith('/account'), `it ended at ${made.url} with ${made.status}`);

async function oneCommand() {
  for (const name of ['SDK v1.32', 'SDK v2, handshake era', 'SDK v2, 2026-07-28', 'mcp-remote']) {
    await attempt(`serve --upstream: ${name}`, clients[name]({ url: gateway.url, state: `turnkey-${name}`, port: ports.pop() }), { ...gateway, http: '1.1' });
  }
}

await Promise.all([everyClient('registration', houses.registration).then(oneCommand), everyClient('CIMD', houses.CIMD)]);

const logs = (names) => names.map((name) => readFileSync(log(name), 'utf8')).join('');
verdict('the servers never see a token', !/"authorization"|eyJ/.test(logs(['turnkey-demo', 'registration-demo', 'CIMD-demo'])), 'one did');
verdict('what the gateways write holds no token', !/eyJ[\w-]+\./.test(logs(['turnkey', 'registration', 'CIMD'])), 'it does');
verdict('the gateways are still up', houses.registration.alive() && houses.CIMD.alive() && gateway.alive(), 'one ended');
if (failed) console.log(`---- gateway\n${tail('turnkey', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
