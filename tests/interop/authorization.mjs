// The conformance suite's authorization scenarios at the managed issuer, over TLS, with a client known by its document; a
// scripted user signs in and allows. One line per check, then the sum.
//   node authorization.mjs       GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { walk } from '../../deploy/demo/user.mjs';
import { certificates, log, paths, run, tail } from './house.mjs';
import { account, managed } from './managed.mjs';

const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];
const SCENARIOS = ['authorization-code-grant', 'authorization-server-metadata-endpoint'];

const tls = await certificates();
const house = await managed(tls);
const client = house.publish('Conformance');
const [port] = await freePorts(0);

// Runs the scenarios of one revision and signs in wherever the suite prints that somebody should; scenario -> its checks.
async function scenarios(revision) {
  const output = join(run, `authorization-${revision}`);
  mkdirSync(output);
  const suite = spawn(paths.node, [paths.conformance, 'authorization', '--url', house.origin, '--client-id', client, '--resource', house.url,
    '-p', String(port), '--spec-version', revision, '-o', output],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: tls.ca }, stdio: ['ignore', 'pipe', openSync(log('suite'), 'a')] });
  const alarm = setTimeout(() => suite.kill('SIGKILL'), 60_000);
  let said = '';
  suite.stdout.on('data', (chunk) => {
    said += chunk;
    const url = /https:\S+[?&]code_challenge=\S+(?=\s)/.exec(said)?.[0];
    if (!url) return;
    said = '';
    patiently(url).catch((error) => console.log(`the sign-in: ${error.message}`));
  });
  await once(suite, 'close');
  clearTimeout(alarm);
  return new Map(readdirSync(output).map((folder) => [SCENARIOS.find((name) => folder.includes(name)) ?? folder,
    JSON.parse(readFileSync(join(output, folder, 'checks.json'), 'utf8'))]));
}

// The suite listens for the answer only after it has printed where to go: the last step is tried until it does.
async function patiently(url) {
  const answer = await walk(url, { account, stopAt: (at) => at.startsWith(`http://127.0.0.1:${port}/`) });
  if (answer.status !== null) throw new Error(`ended at ${answer.url} with ${answer.status}`);
  await house.wait(() => fetch(answer.url));
}

let passed = 0;
let failed = 0;
function verdict(title, fault) {
  if (fault) failed++;
  else passed++;
  console.log(fault ? `FAILED  ${title}: ${fault}` : `ok      ${title}`);
}

for (const revision of REVISIONS) {
  const found = await scenarios(revision);
  for (const scenario of SCENARIOS) {
    const checks = found.get(scenario) ?? [];
    const bad = checks.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO');
    const good = checks.filter(({ status }) => status === 'SUCCESS').length;
    verdict(`${revision} ${scenario}: ${good} checks`, bad.length ? JSON.stringify(bad) : good ? '' : 'no check was made');
  }
}
const lines = house.audit();
verdict('the client is known by its document', lines.some((line) => line.path === '/oauth/authorize' && line.status === 200) &&
  lines.every((line) => line.path !== '/oauth/register') ? '' : 'it is not');
if (failed) console.log(`---- suite\n${tail('suite', 30)}\n---- gateway\n${tail('managed', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
