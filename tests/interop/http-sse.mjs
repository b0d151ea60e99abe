// The SDKs' clients of MCP 2024-11-05 (HTTP+SSE) through the gateway, at SDK v1's server and at server-everything's: sign-in, calls,
// what the server asks, refresh. One line per case, then the sum.
//   node http-sse.mjs [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { certificates, finish, log, paths, run, start, tail, until } from './house.mjs';
import { lines } from './managed.mjs';

let passed = 0;
let failed = 0;
function verdict(name, condition, found) {
  if (condition) passed++;
  else failed++;
  console.log(condition ? `ok      ${name}` : `FAILED  ${name}: ${found}`);
}

// ---- the parties
const tls = await certificates();
const [port, adminPort, everythingPort] = await freePorts(0, 0, 0);
const origin = `https://localhost:${port}`;
const [issuerFile, serverFile, audit, settings] = ['issuer.json', 'server.json', 'audit.jsonl', 'gatehouse.json'].map((name) => join(run, name));
const provider = start('issuer', paths.node, [paths.issuer], { PORT: 0, READY_FILE: issuerFile, TLS_CERT: tls.certificate, TLS_KEY: tls.key, ISSUER_HOST: 'localhost',
  AT_TTL: '600' });
const server = start('server', paths.node, [`${paths.here}http-sse-server.mjs`], { PORT: 0, READY_FILE: serverFile });
const everything = start('everything', paths.node, [paths.everything, 'sse'], { PORT: everythingPort });
const { issuer } = await until('issuer', provider, () => JSON.parse(readFileSync(issuerFile, 'utf8')));
const { url: upstream } = await until('server', server, () => JSON.parse(readFileSync(serverFile, 'utf8')));
await until('everything', everything, async () => {
  const asking = new AbortController();
  const { status } = await fetch(`http://127.0.0.1:${everythingPort}/sse`, { signal: asking.signal });
  asking.abort();
  return status === 200;
});
const route = { tenant: 'main', transport: 'http+sse', scopes: ['mcp:read'] };
writeFileSync(settings, JSON.stringify({
  listen: [{ address: `127.0.0.1:${port}`, tls: { certificate: tls.certificate, key: tls.key } }], admin: { address: `127.0.0.1:${adminPort}` },
  audit: { file: audit }, fetch: { allow_http_loopback: true, ca_file: tls.ca }, issuers: { idp: { issuer, leeway: '0s' } },
  tenants: { main: { hosts: [`localhost:${port}`], issuers: ['idp'] } },
  routes: [{ ...route, name: 'old', resource: `${origin}/old/sse`, upstream, tools: { echo: [], ask: [], slow: [] } },
    { ...route, name: 'everything', resource: `${origin}/everything/sse`, upstream: `http://127.0.0.1:${everythingPort}/sse` }],
}));
const gateway = start('gateway', paths.gatehouse, ['serve', '-c', settings]);
await until('gateway', gateway, async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200);

// ---- one client at one server
const said = (result, text) => result?.ok && JSON.stringify(result.content).includes(text);
const echo = 'echo:{"message":"hi"}';

async function drive(title, name, command, args, env = {}) {
  const { code, stdout } = await finish('client', command, args, { NODE_EXTRA_CA_CERTS: tls.ca, ...env });
  const report = { results: [], ...lines(stdout).at(-1), code };
  verdict(`${title}: signs in and calls`, said(report.results[0], 'hi'), `${JSON.stringify(report)}\n${tail('client', 25)}`);
  return report;
}

async function sdk(title, file, name) {
  const calls = [echo, echo, ...(name === 'old' ? ['ask:{}', 'slow:{"n":3,"ms":40}', 'hidden:{}'] : [])];
  const report = await drive(title, name, paths.node, [`${paths.here}${file}`, `${origin}/${name}/sse`, '--http-sse', '--refresh', ...calls.flatMap((call) => ['--call', call])]);
  const [, second, ask, slow, hidden] = report.results;
  const trace = lines(readFileSync(log('client'), 'utf8'));
  const messages = trace.filter(({ url }) => url?.startsWith(`${origin}/${name}/sse/messages?sessionId=`));
  verdict(`${title}: refreshes at a message that is refused`, said(second, 'hi') && messages.filter(({ status }) => status === 401).length === calls.length - 1 &&
    trace.filter(({ authorize }) => authorize).length === 1, JSON.stringify(trace));
  verdict(`${title}: messages go below the resource`, messages.length > 3 && messages.some(({ status }) => status === 202) &&
    !trace.some(({ url }) => url?.includes(new URL(upstream).host)), JSON.stringify(trace));
  if (name !== 'old') return;
  verdict(`${title}: answers what the server asks`, said(ask, 'asked'), JSON.stringify(ask));
  verdict(`${title}: hears of progress`, said(slow, 'counted to 3') && slow.progress === 3, JSON.stringify(slow));
  verdict(`${title}: is not shown what it may not call`, report.tools?.join() === 'echo,ask,slow', JSON.stringify(report.tools));
  verdict(`${title}: may not call what no rule allows`, hidden?.ok === false && /403|not allowed/.test(JSON.stringify(hidden)), JSON.stringify(hidden));
}

try {
  for (const [client, file] of [['SDK v1', 'client-v1.mjs'], ['SDK v2', 'client-v2.mjs']])
    for (const [name, title] of [['old', 'SSEServerTransport'], ['everything', 'server-everything']]) await sdk(`${client} - ${title}`, file, name);
  // mcp-remote tries Streamable HTTP first, and goes on after the 405.
  await drive('mcp-remote - SSEServerTransport', 'old', 'bash', [`${paths.here}mcp-remote.sh`, `${origin}/old/sse`], { STATE: join(run, 'mcp-remote') });
  const heard = lines(readFileSync(log('server'), 'utf8'));
  const own = heard.filter(({ method }) => method === 'POST').map(({ url }) => new URL(url, 'http://server').searchParams.get('sessionId'));
  verdict('the server is asked under its own addresses', own.length > 10 && own.every((id) => /^[\da-f-]{36}$/.test(id)), JSON.stringify(heard.map(({ url }) => url)));
  verdict('the server never sees a token', !/"authorization"|eyJ/.test(readFileSync(log('server'), 'utf8')), 'it did');
  const written = readFileSync(audit, 'utf8');
  verdict('the audit log holds no address', written !== '' && !written.includes('sessionId') && !own.some((id) => written.includes(id)), 'it does');
} catch (error) {
  verdict('all cases ran', false, `${error.stack}\n${tail('gateway')}\n${tail('issuer')}`);
}
verdict('the gateway runs on', gateway.exitCode === null && gateway.signalCode === null, tail('gateway'));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
