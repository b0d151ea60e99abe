// The conformance suite's server scenarios, direct and through the gateway: each must end the same, check by check, but
// dns-rebinding-protection, which must pass at the gateway, and what the gateway makes good of a server that compares no headers.
// One line per scenario, then the sum.
//   node conformance.mjs [--plain] [--only PATTERN]         GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shim } from './bearer-shim.mjs';
import { certificates, finish, house, paths, run, serviceToken, tail } from './house.mjs';

const { values: opts } = parseArgs({ options: { plain: { type: 'boolean' }, only: { type: 'string' } } });
const GATEWAYS_OWN = 'dns-rebinding-protection'; // the proxy hides Host and Origin from the server, so it must judge them

// Which revision against which server, and what must pass directly, for a comparison of two failures proves little:
// `least` checks of a scenario, or all of every scenario but those of the tasks extension, which the SDK has not.
const RUNS = [
  { revision: '2025-11-25', server: 'conformance', all: true },
  { revision: '2026-07-28', server: 'conformance', all: true },
  { revision: '2025-11-25', server: 'everything', least: {
    'server-initialize': 3, ping: 2, 'tools-list': 3, 'logging-set-level': 2, 'resources-list': 2, 'prompts-list': 2,
    'server-sse-multiple-streams': 2, 'server-session-lifecycle': 2 } },
  { revision: '2026-07-28', server: 'demo', least: {
    'tools-list': 4, 'server-sse-multiple-streams': 1, 'http-header-validation': 14, 'http-custom-header-server-validation': 10,
    'server-stateless': 24, caching: 4 } },
  { revision: '2025-11-25', server: 'ruled', all: true },
  // A subscription that names no resource is refused before the server can say that it has no such method.
  { revision: '2026-07-28', server: 'ruled', all: true, differs: /method-not-found-404-resources-(un)?subscribe$/ },
  { revision: '2026-07-28', server: 'lax', mends: ['http-header-validation', 'http-custom-header-server-validation'] },
];

// Runs one revision's scenarios; scenario -> sorted "STATUS check" lines.
let serial = 0;
async function scenarios(revision, url) {
  const output = join(run, `conformance-${++serial}`);
  mkdirSync(output);
  await finish('conformance', paths.node, [paths.conformance, 'server', '--url', url, '--requirements', revision, '-o', output], {}, 300);
  const found = new Map();
  for (const folder of readdirSync(output)) {
    const name = folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    const checks = JSON.parse(readFileSync(join(output, folder, 'checks.json'), 'utf8'));
    found.set(name, checks.map(({ id, status }) => `${status} ${id}`).sort());
  }
  return found;
}

const count = (checks, status) => checks.filter((line) => line.startsWith(status)).length;
const short = (checks) => `${count(checks, 'SUCCESS')} passed, ${count(checks, 'FAILURE')} failed`;

function judge(name, direct, through, { least = {}, all, mends = [], differs = /^$/ }) {
  if (!direct || !through) return `ran ${direct ? 'only directly' : through ? 'only through the gateway' : 'nowhere'}`;
  if (count(direct, 'SUCCESS') < (least[name] ?? 0)) return `direct: ${short(direct)}, at least ${least[name]} must pass`;
  if (all && name !== GATEWAYS_OWN && !name.startsWith('tasks-') && count(direct, 'FAILURE')) return `direct: ${direct.join(', ')}`;
  if (name === GATEWAYS_OWN) return count(through, 'FAILURE') || !count(through, 'SUCCESS') ? `at the gateway: ${through.join(', ')}` : '';
  if (mends.includes(name)) {
    if (!count(direct, 'FAILURE')) return `direct: ${short(direct)}, and the server should fail`;
    return count(through, 'FAILURE') || count(through, 'WARNING') || !count(through, 'SUCCESS') ? `at the gateway: ${through.join(', ')}` : '';
  }
  const gone = direct.filter((line) => !through.includes(line) && !differs.test(line));
  const come = through.filter((line) => !direct.includes(line) && !differs.test(line));
  if (gone.length || come.length) return `direct: ${gone.join(', ')}; through the gateway: ${come.join(', ')}`;
  return direct.length === through.length ? '' : `direct ${direct.length} checks, through the gateway ${through.length}`;
}

const gateway = await house({ tls: opts.plain ? undefined : await certificates(), issuerEnv: { AT_TTL: '3600' } });
const tokens = {};
for (const { server } of RUNS) tokens[`/${server}/mcp`] = await serviceToken(gateway.issuer, gateway.resource(server));
const port = await shim(gateway.origin, (path) => tokens[path]);

let passed = 0;
let failed = 0;
for (const expected of RUNS) {
  const { revision, server, least = {} } = expected;
  const direct = await scenarios(revision, gateway.upstream[server].replace('127.0.0.1', 'localhost'));
  const through = await scenarios(revision, `http://localhost:${port}/${server}/mcp`);
  const names = expected.mends ?? [...direct.keys(), ...through.keys(), ...Object.keys(least)]; // of the lax one no others count
  for (const name of new Set(names)) {
    const title = `${revision} ${server} ${name}`;
    if (opts.only && !title.includes(opts.only)) continue;
    const fault = judge(name, direct.get(name), through.get(name), expected);
    if (fault) failed++;
    else passed++;
    console.log(fault ? `FAILED  ${title}: ${fault}` : `ok      ${title}: ${short(through.get(name))}`);
  }
}
if (failed) console.log(`---- gateway\n${tail('gateway', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
