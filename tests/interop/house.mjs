// Starts what a run needs, all on free loopback ports: issuer, MCP servers, the gateway in front of them, other children.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { getCACertificates as defaults, setDefaultCACertificates as trust } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../deploy/demo/ports.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
export const paths = {
  node: at('../../deploy/demo/node_modules/.bin/node'),
  issuer: at('provider.mjs'),
  demo: at('../../deploy/demo/server.mjs'),
  everything: at('node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
  conformanceServer: at('conformance-server.mjs'),
  laxServer: at('lax-server.mjs'),
  conformance: at('node_modules/@modelcontextprotocol/conformance/dist/index.js'),
  gatehouse: resolve(process.env.GATEHOUSE ?? at('../../build/gatehouse')),
  here: at('.'),
};

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// ---- children: all of them end with this process; their output is kept in files of the run's folder
const children = new Set();
export const run = mkdtempSync(join(tmpdir(), 'gatehouse-interop-'));
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(run, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

export const log = (name) => join(run, `${name}.log`);
export const tail = (name, lines = 15) => readFileSync(log(name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');

export function start(name, command, args, env = {}) {
  const out = openSync(log(name), 'a');
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', out, out] });
  child.on('error', (error) => writeFileSync(log(name), `${error}\n`, { flag: 'a' }));
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

// Runs a command to its end; { code, stdout } with standard error in the log of that name.
export async function finish(name, command, args, env = {}, seconds = 90) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', openSync(log(name), 'w')] });
  children.add(child);
  const alarm = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  let stdout = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  const [code] = await once(child, 'close');
  clearTimeout(alarm);
  children.delete(child);
  return { code: code ?? 1, stdout };
}

// Waits until `ready` returns something; fails when the child ended first or after 15 s.
export async function until(name, child, ready) {
  for (let tries = 0; tries < 150; tries++) {
    const value = await Promise.resolve().then(ready).catch(() => undefined);
    if (value) return value;
    if (child.exitCode !== null || child.signalCode !== null) break;
    await pause(100);
  }
  throw new Error(`${name} is not up\n${tail(name)}`);
}

export const answers = (url, ...statuses) => async () => {
  const { status } = await fetch(url);
  return statuses.length ? statuses.includes(status) : true;
};

// A private certificate authority and a certificate for localhost, in the run's folder.
export async function certificates() {
  const { code } = await finish('certificates', 'bash', ['-euc', `
    cd "$0"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Interop CA' -keyout ca.key -out ca.pem \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout tls.key -out tls.csr
    openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out tls.crt \
      -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n')`, run]);
  if (code !== 0) throw new Error(`no certificates\n${tail('certificates')}`);
  trust([...defaults('default'), readFileSync(join(run, 'ca.pem'), 'utf8')]); // by this process too
  return { ca: join(run, 'ca.pem'), certificate: join(run, 'tls.crt'), key: join(run, 'tls.key') };
}

// What routes say beside scopes and upstream: one before the conformance server whose rules allow everything, one with a tool that
// needs more than the route, and one before a server that does not compare headers.
const RULES = {
  ruled: 'tools: { "*": [] }, prompts: { "*": [] }, resources: { "*": [] }, rules: [{ name: extensions, methods: "*" }]',
  stepped: 'tools: { echo: [], get_forecast: mcp:execute }',
  lax: 'param_headers: [{ tool: region, header: Region, argument: /region }]',
};

// Starts the issuer, the MCP servers and the gateway in front of them; `tls` puts gateway and issuer behind TLS.
export async function house({ tls, issuerEnv = {} } = {}) {
  const [gatewayPort, adminPort, everythingPort] = await freePorts(0, 0, 0);
  const issuerFile = join(run, 'issuer.json');
  const demoFile = join(run, 'demo.json');
  const conformanceFile = join(run, 'conformance.json');
  const laxFile = join(run, 'lax.json');
  const issuerChild = start('issuer', paths.node, [paths.issuer], {
    PORT: 0, READY_FILE: issuerFile, ...(tls && { TLS_CERT: tls.certificate, TLS_KEY: tls.key, ISSUER_HOST: 'localhost' }), ...issuerEnv,
  });
  const demoChild = start('demo', paths.node, [paths.demo], { PORT: 0, READY_FILE: demoFile, LOG: '1' });
  const everythingChild = start('everything', paths.node, [paths.everything, 'streamableHttp'], { PORT: everythingPort });
  const conformanceChild = start('conformance-server', paths.node, [paths.conformanceServer], { PORT: 0, READY_FILE: conformanceFile });
  const laxChild = start('lax', paths.node, [paths.laxServer], { PORT: 0, READY_FILE: laxFile });
  const { issuer } = await until('issuer', issuerChild, () => JSON.parse(readFileSync(issuerFile, 'utf8')));
  const demo = (await until('demo', demoChild, () => JSON.parse(readFileSync(demoFile, 'utf8')))).url;
  const conformance = (await until('conformance-server', conformanceChild, () => JSON.parse(readFileSync(conformanceFile, 'utf8')))).url;
  const lax = (await until('lax', laxChild, () => JSON.parse(readFileSync(laxFile, 'utf8')))).url;
  const everything = `http://127.0.0.1:${everythingPort}/mcp`;
  await until('everything', everythingChild, answers(everything));

  const host = `${tls ? 'localhost' : '127.0.0.1'}:${gatewayPort}`;
  const origin = `${tls ? 'https' : 'http'}://${host}`;
  const routes = { everything, demo, conformance, ruled: conformance, stepped: demo, lax };
  const audit = join(run, 'audit.jsonl');
  const settings = join(run, 'gatehouse.yaml');
  writeFileSync(settings, `listen:
  - address: "127.0.0.1:${gatewayPort}"
${tls ? `    tls: { certificate: "${tls.certificate}", key: "${tls.key}" }\n` : ''}admin: { address: "127.0.0.1:${adminPort}" }
fetch: { allow_http_loopback: true${tls ? `, ca_file: "${tls.ca}"` : ''} }
audit: { file: "${audit}" }
issuers:
  idp: { issuer: "${issuer}", leeway: 0s }
tenants:
  interop: { hosts: ["${host}"], issuers: [idp] }
routes:
${Object.entries(routes).map(([name, upstream]) =>
    `  - { name: ${name}, tenant: interop, resource: "${origin}/${name}/mcp", upstream: "${upstream}", scopes: ["mcp:read"]${RULES[name] ? `, ${RULES[name]}` : ''} }`).join('\n')}
`);
  const gateway = start('gateway', paths.gatehouse, ['serve', '-c', settings]);
  await until('gateway', gateway, answers(`http://127.0.0.1:${adminPort}/readyz`, 200));
  return { issuer, origin, audit, upstream: routes, resource: (name) => `${origin}/${name}/mcp`, alive: () => gateway.exitCode === null && gateway.signalCode === null };
}

// A token for one resource by client_credentials.
export async function serviceToken(issuer, resource, scope = 'mcp:read') {
  const { token_endpoint: endpoint } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('svc:svc-secret')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}
