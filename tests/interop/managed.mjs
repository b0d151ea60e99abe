// A gateway with a managed issuer behind TLS, the demo's server behind it, an account, and a host that publishes documents
// of clients. `fetch.allow` lets the gateway fetch from loopback, where that host is; everything else is as it is by default.
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { freePorts } from '../../deploy/demo/ports.mjs';
import { walk } from '../../deploy/demo/user.mjs';
import { finish, log, paths, run, start, until } from './house.mjs';

export const account = { name: 'ada', password: 'correct horse' };
const REDIRECTS = ['http://127.0.0.1/callback', 'http://localhost/oauth/callback', 'http://127.0.0.1/oauth/callback', 'http://127.0.0.1:8765/callback'];

// Serves a client metadata document (CIMD) at every path: publish(name) is the id of one of its own for that client.
async function documents(tls) {
  const pages = new Map();
  const server = https.createServer({ key: readFileSync(tls.key), cert: readFileSync(tls.certificate) }, (request, response) => {
    const page = pages.get(request.url);
    response.writeHead(page ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(page ?? {}));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  server.unref();
  return (name, more = {}) => {
    const path = `/${name.replace(/[^\w.]+/g, '-')}/client.json`;
    const id = `https://localhost:${server.address().port}${path}`;
    pages.set(path, { client_id: id, client_name: name, redirect_uris: REDIRECTS, grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'], token_endpoint_auth_method: 'none', ...more });
    return id;
  };
}

export const lines = (text) => text.split('\n').slice(0, -1).filter((line) => line.startsWith('{"')).map((line) => JSON.parse(line));

const alive = (child) => child.exitCode === null && child.signalCode === null;

async function demo(name) {
  const file = join(run, `${name}.json`);
  const child = start(name, paths.node, [paths.demo], { PORT: 0, READY_FILE: file, LOG: '1' });
  return (await until(name, child, () => JSON.parse(readFileSync(file, 'utf8')))).url;
}

// `gatehouse serve --upstream URL` and nothing else, on loopback without TLS. Nobody has used the setup link yet.
export async function turnkey() {
  const [port] = await freePorts(0);
  const gateway = start('turnkey', paths.gatehouse, ['serve', '--upstream', await demo('turnkey-demo'), '--listen', `127.0.0.1:${port}`], { STATE_DIRECTORY: join(run, 'state') });
  const said = () => readFileSync(log('turnkey'), 'utf8');
  const link = await until('turnkey', gateway, () => /http:\S+\/setup\?token=\S+/.exec(said())[0]);
  const url = /"url": "([^"]+)"/.exec(said())[1];
  return { origin: new URL(url).origin, url, link, audit: () => lines(said()), wait: (ready) => until('turnkey', gateway, ready), alive: () => alive(gateway) };
}

// `clients` gives those of the settings, for the resource's URL; `route` has more of the route, `issuer`
// of the issuer, for its own URL. Without `open`, nobody has used the setup link yet.
export async function managed(tls, { name = 'managed', clients = () => ({}), route = {}, issuer = () => ({}), open = true } = {}) {
  const upstream = await demo(`${name}-demo`);
  const [port, adminPort] = await freePorts(0, 0);
  const origin = `https://localhost:${port}`;
  const url = `${origin}/mcp`;
  const audit = join(run, `${name}-audit.jsonl`);
  const settings = join(run, `${name}.json`);
  const own = await issuer(origin);
  const write = (more = {}) => writeFileSync(settings, JSON.stringify({
    listen: [{ address: `127.0.0.1:${port}`, tls: { certificate: tls.certificate, key: tls.key } }],
    admin: { address: `127.0.0.1:${adminPort}` },
    shared_sources: ['127.0.0.1/32'], // every client of this run comes from there
    fetch: { ca_file: tls.ca, allow_http_loopback: true, allow: ['127.0.0.0/8', '::1/128'] },
    audit: { file: audit },
    store: `sqlite:${join(run, `${name}.db`)}`,
    issuers: { house: { managed: { url: origin, keys: join(run, `${name}-keys`), registration: 'on', password_cost: 14, clients: clients(url), ...own } } },
    tenants: { main: { hosts: [`localhost:${port}`], issuers: ['house'] } },
    routes: [{ name: 'notes', tenant: 'main', resource: url, resource_name: 'Notes', upstream, scopes: ['mcp:read'],
      scopes_supported: ['mcp:read', 'mcp:write', 'mcp:execute'], ...route, ...more }],
  }));
  write();
  const gateway = start(name, paths.gatehouse, ['serve', '-c', settings]);
  const link = await until(name, gateway, () => /https:\S+\/setup\?token=\S+/.exec(readFileSync(log(name), 'utf8'))[0]);
  if (open) {
    const made = await walk(link, { account });
    if (made.status !== 200) throw new Error(`no account was made: ${made.url} ended with ${made.status}`);
  }
  return {
    origin, url, link, publish: await documents(tls),
    audit: () => lines(readFileSync(audit, 'utf8')),
    user: async (...args) => JSON.parse((await finish(`${name}-user`, paths.gatehouse, ['user', '-c', settings, ...args])).stdout), // the command
    wait: (ready) => until(name, gateway, ready),
    async change(more) { // of the route, while it runs
      const reloads = () => readFileSync(log(name), 'utf8').split('settings reloaded').length;
      const before = reloads();
      write(more);
      gateway.kill('SIGHUP');
      await until(name, gateway, () => reloads() > before);
    },
    alive: () => alive(gateway),
  };
}
