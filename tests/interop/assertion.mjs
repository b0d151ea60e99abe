// The signed assertion at a Node server: the example of docs/upstream-identity.md is taken from there and run behind a gateway.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { answers, finish, paths, run, serviceToken, start, until } from './house.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// The example with the addresses of this run.
async function example(places) {
  let code = /^```js\n(.*?)^```/ms.exec(readFileSync(at('../../docs/upstream-identity.md'), 'utf8'))[1];
  for (const [written, real] of places) {
    if (code.split(written).length !== 2) throw new Error(`the example does not name ${written} once`);
    code = code.replace(written, real);
  }
  const file = join(run, 'identity.mjs');
  writeFileSync(file, code);
  return (await import(pathToFileURL(file).href)).identity;
}

// A server that answers with what the example says of the caller, and keeps the last assertion.
async function serve() {
  const server = http.createServer(async (request, response) => {
    server.assertion = request.headers['x-gatehouse-assertion'];
    const [status, value] = await server.identity(request).then((who) => [200, who], (error) => [401, { error: error.code }]);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

// What the server answers through the gateway, and to others who bring it something of their own.
export async function assertion(issuer, ca) {
  const server = await serve();
  const upstream = `http://127.0.0.1:${server.address().port}`;
  const [port, adminPort] = await freePorts(0, 0);
  const origin = `http://127.0.0.1:${port}`;
  const key = join(run, 'assertion.pem');
  await finish('key', 'openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
  const settings = join(run, 'assertion.yaml');
  writeFileSync(settings, `listen: [{ address: "127.0.0.1:${port}" }]
admin: { address: "127.0.0.1:${adminPort}" }
fetch: { allow_http_loopback: true${ca ? `, ca_file: "${ca}"` : ''} }
audit: { file: "${join(run, 'assertion-audit.jsonl')}" }
assertion: { issuer: "https://gateway.example", key_files: "${key}" }
issuers: { idp: { issuer: "${issuer}" } }
tenants: { acme: { hosts: ["127.0.0.1:${port}"], issuers: [idp] } }
routes:
  - { name: asserted, tenant: acme, resource: "${origin}/asserted/mcp", upstream: "${upstream}/mcp", scopes: ["mcp:read"], identity_assertion: {} }
`);
  const gateway = start('assertion-gateway', paths.gatehouse, ['serve', '-c', settings]);
  await until('assertion-gateway', gateway, answers(`http://127.0.0.1:${adminPort}/readyz`, 200));
  server.identity = await example([
    ["'jose'", JSON.stringify(import.meta.resolve('jose'))],
    ['http://127.0.0.1:9901', `http://127.0.0.1:${adminPort}`],
    ['http://127.0.0.1:3000', upstream],
  ]);
  const token = await serviceToken(issuer, `${origin}/asserted/mcp`);
  const ask = async (url, headers) => {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers }, body: '{}' });
    return { status: response.status, body: await response.json() };
  };
  const through = await ask(`${origin}/asserted/mcp`, { authorization: `Bearer ${token}` });
  const sent = server.assertion;
  const result = {
    through,
    sent,
    again: await ask(`${upstream}/mcp`, { 'x-gatehouse-assertion': sent }),
    without: await ask(`${upstream}/mcp`, {}),
    bent: await ask(`${upstream}/mcp`, { 'x-gatehouse-assertion': `${sent.slice(0, -8)}AAAAAAAA` }),
    token: await ask(`${upstream}/mcp`, { 'x-gatehouse-assertion': token }),
  };
  server.close();
  gateway.kill();
  return result;
}
