// Real clients at `gatehouse serve --upstream URL` and nothing else: setup link, registration, sign-in, consent, call, refresh.
//   node issuer.mjs [--only PATTERN] [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { walk } from '../../deploy/demo/user.mjs';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { finish, log, paths, run, start, tail, until } from './house.mjs';

const { values: opts } = parseArgs({ options: { only: { type: 'string' }, verbose: { type: 'boolean' } } });
const account = { name: 'ada', password: 'correct horse' };

let passed = 0;
let failed = 0;
function verdict(name, condition, found) {
  if (condition) passed++;
  else failed++;
  console.log(condition ? `ok      ${name}` : `FAILED  ${name}: ${found}`);
}

const demoFile = join(run, 'demo.json');
const demo = start('demo', paths.node, [paths.demo], { PORT: 0, READY_FILE: demoFile, LOG: '1' });
const upstream = (await until('demo', demo, () => JSON.parse(readFileSync(demoFile, 'utf8')))).url;
const [port] = await freePorts(0);
const gateway = start('gateway', paths.gatehouse, ['serve', '--upstream', upstream, '--listen', `127.0.0.1:${port}`], { STATE_DIRECTORY: join(run, 'state') });
const link = await until('gateway', gateway, () => /http:\S+\/setup\?token=\S+/.exec(readFileSync(log('gateway'), 'utf8'))[0]);
const url = /"url": "([^"]+)"/.exec(readFileSync(log('gateway'), 'utf8'))[1];

const made = await walk(link, { account });
verdict('the printed link makes the first account', made.status === 200 && made.url.endsWith('/account'), `it ended at ${made.url} with ${made.status}`);

const env = { WALK_AS: `${account.name}:${account.password}` };
const calls = ['--call', 'echo:{"message":"hi"}', '--call', 'echo:{"message":"hi"}'];
const sdk = (file, ...more) => () => [{ args: [paths.node, `${paths.here}${file}`, url, ...calls, '--refresh', ...more], env }];
const remote = (more) => ({ args: ['bash', `${paths.here}mcp-remote.sh`, url], env: { ...env, STATE: join(run, 'mcp-remote'), ...more } });
const clients = {
  'SDK v1': sdk('client-v1.mjs'),
  'SDK v2, handshake era': sdk('client-v2.mjs', '--era', 'legacy'),
  'SDK v2, 2026-07-28': sdk('client-v2.mjs', '--era', '2026-07-28'),
  // mcp-remote keeps its tokens between two runs: the second one has to refresh.
  'mcp-remote': () => [remote({}), remote({ REFRESH: '1' })],
};
const audit = () => readFileSync(log('gateway'), 'utf8').split('\n').slice(0, -1).filter((line) => line.startsWith('{"')).map((line) => JSON.parse(line));
for (const [name, runs] of Object.entries(clients)) {
  if (opts.only && !name.includes(opts.only)) continue;
  const before = audit().length;
  const reports = [];
  for (const { args: [command, ...args], env: more } of runs()) {
    const { code, stdout } = await finish('client', command, args, more);
    reports.push({ code, ...JSON.parse(stdout.split('\n').filter((line) => line.startsWith('{')).at(-1) ?? '{}') });
  }
  const results = reports.flatMap((report) => report.results ?? []);
  const good = results.length >= 2 && results.every((result) => result.ok && JSON.stringify(result.content).includes('hi'));
  verdict(`${name}: calls before and after a refresh`, good && reports.every(({ code }) => code === 0), JSON.stringify(reports));
  const lines = () => audit().slice(before);
  const asked = () => lines().filter((line) => line.path === '/oauth/token' && line.reason === 'ok').length;
  const consents = () => lines().filter((line) => line.path === '/consent').length;
  await until('gateway', gateway, () => asked() >= 2 && consents() >= 1).catch(() => {}); // lines are written behind the answers
  verdict(`${name}: a code and a refresh, one sign-in`, asked() === 2 && consents() === 1, `${asked()} token requests, ${consents()} consents`);
  if (opts.verbose || !good) console.log(tail('client', 30));
}
verdict('the server never sees a token', !/"authorization"|eyJ/.test(readFileSync(log('demo'), 'utf8')), 'one did');
verdict('what the gateway writes holds no token', !/eyJ[\w-]+\./.test(readFileSync(log('gateway'), 'utf8')), 'it does');
verdict('the gateway is still up', gateway.exitCode === null && gateway.signalCode === null, 'it ended');
if (failed) console.log(`---- gateway\n${tail('gateway', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
