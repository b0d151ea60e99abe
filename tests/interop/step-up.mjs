// A route begins to ask for a scope that its clients do not have; or one of its tools needs it from the start, and is listed only then. SDK v1 answers the 403 by a refresh and gives up, unless the route's
// step_up_by_refresh has that refresh fail: then its user is asked. SDK v2 asks its user in either case.
//   node step-up.mjs [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { HeadlessProvider, walk } from '../../deploy/demo/user.mjs';
import { certificates, house as withProvider, tail } from './house.mjs';
import { account, managed } from './managed.mjs';

const { values: opts } = parseArgs({ options: { verbose: { type: 'boolean' } } });

class Person extends HeadlessProvider {
  asked = [];
  constructor({ who = account, client } = {}) {
    super({ client });
    this.account = who;
  }
  async redirectToAuthorization(url) {
    this.asked.push(url.searchParams.get('scope'));
    const end = await walk(String(url), { account: this.account, stopAt: (at) => at.startsWith(this.redirectUrl) });
    if (end.status !== null) throw new Error(`the sign-in ended at ${end.url} with ${end.status}`);
    this.callback = new URL(end.url).searchParams;
  }
}

async function load(name) {
  if (name === 'v2') {
    const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import('@modelcontextprotocol/client');
    return { Client, StreamableHTTPClientTransport, UnauthorizedError, finish: (transport, callback) => transport.finishAuth(callback) };
  }
  const { Client } = await import(`${name}/client/index.js`);
  const { StreamableHTTPClientTransport } = await import(`${name}/client/streamableHttp.js`);
  const { UnauthorizedError } = await import(`${name}/client/auth.js`);
  return { Client, StreamableHTTPClientTransport, UnauthorizedError, finish: (transport, callback) => transport.finishAuth(callback.get('code')) };
}

// Connects, and signs its user in where that is due; what runs after it may be sent back for more.
async function begin(url, sdk, provider) {
  const make = () => ({ client: new sdk.Client({ name: 'step-up', version: '1.0.0' }), transport: new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: provider }) });
  let { client, transport } = make();
  const authorized = async (run) => {
    try {
      return await run();
    } catch (error) {
      if (!provider.callback || !(error instanceof sdk.UnauthorizedError)) throw error;
      await sdk.finish(transport, provider.callback);
      provider.callback = null;
      return undefined;
    }
  };
  const connect = async () => (await client.connect(transport), true);
  if (!(await authorized(connect))) {
    ({ client, transport } = make());
    await connect();
  }
  return { client, authorized };
}

// Calls with what the route asked for at first; then it asks for more, and the client calls again.
async function story(house, sdk) {
  const provider = new Person();
  const { client, authorized } = await begin(house.url, sdk, provider);
  const call = () => client.callTool({ name: 'echo', arguments: { message: 'hi' } });
  await call();
  await house.change({ scopes: ['mcp:read', 'mcp:execute'] });
  let end;
  try {
    await ((await authorized(call)) ?? call());
    end = 'served';
  } catch (error) {
    end = 'gave up';
    if (opts.verbose) console.log(error.message);
  }
  await client.close();
  return { end, asked: provider.asked };
}

// A tool needs more than its route: it is not listed, its call is sent back for the scope, and after that it is both.
async function tool(url, sdk, person) {
  const provider = new Person(person);
  const { client, authorized } = await begin(url, sdk, provider);
  const listed = async () => (await client.listTools()).tools.map(({ name }) => name).sort().join(' ');
  const call = () => client.callTool({ name: 'get_forecast', arguments: { city: 'Oslo', region: 'Oslo' } });
  const before = await listed();
  let end;
  try {
    const { isError } = (await authorized(call)) ?? (await call());
    end = isError ? 'an error of the tool' : `${before} -> ${await listed()}`;
  } catch (error) {
    end = 'gave up';
    if (opts.verbose) console.log(error.message);
  }
  await client.close();
  return { end, asked: provider.asked };
}

let passed = 0;
let failed = 0;
function report(title, found, expected, audit) {
  const wide = found.asked?.at(-1)?.split(' ').includes('mcp:execute');
  const good = found.end === expected && (expected === 'gave up' || wide);
  if (good) passed++;
  else failed++;
  console.log(good ? `ok      ${title}: ${found.end}` : `FAILED  ${title}: ${JSON.stringify(found)}`);
  if (!good || opts.verbose) console.log(audit().slice(-12).map((line) => [line.method, line.path, line.status, line.reason, line.mcp_name ?? '', line.events ?? ''].join(' ')).join('\n'));
}
const failure = (error) => ({ end: `${error.constructor.name}: ${error.message}` });

const tls = await certificates();
for (const [title, name, step_up_by_refresh, expected] of [
  ['SDK v1.25, with the option', 'sdk-1.25', true, 'served'],
  ['SDK v1.25, without it', 'sdk-1.25', false, 'gave up'],
  ['SDK v1.32, with the option', '@modelcontextprotocol/sdk', true, 'served'],
  ['SDK v1.32, without it', '@modelcontextprotocol/sdk', false, 'gave up'],
  ['SDK v2, with the option', 'v2', true, 'served'],
]) {
  const house = await managed(tls, { name: `step-up-${passed + failed}`, route: { step_up_by_refresh } });
  report(title, await story(house, await load(name)).catch(failure), expected, house.audit);
}

const tools = { echo: [], get_forecast: 'mcp:execute' };
const [BOTH, GREW] = ['echo get_forecast -> echo get_forecast', 'echo -> echo get_forecast'];
for (const [title, name, route, expected] of [
  ['SDK v1.25, a tool, with the option', 'sdk-1.25', { step_up_by_refresh: true }, GREW],
  ['SDK v1.32, a tool, with the option', '@modelcontextprotocol/sdk', { step_up_by_refresh: true }, GREW],
  ['SDK v1.32, a tool, without it', '@modelcontextprotocol/sdk', {}, 'gave up'],
  ['SDK v2, a tool', 'v2', {}, GREW],
  ['SDK v2, a tool that is listed before', 'v2', { lists: 'grantable' }, BOTH],
]) {
  const house = await managed(tls, { name: `step-up-${passed + failed}`, route: { tools, ...route } });
  report(title, await tool(house.url, await load(name)).catch(failure), expected, house.audit);
}

// That provider holds a client to the scope it was registered with, which was the route's: this one was registered by hand.
const foreign = await withProvider({ tls });
const audit = () => readFileSync(foreign.audit, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
report('SDK v2 at oidc-provider, a tool', await tool(foreign.resource('stepped'), await load('v2'), { client: { client_id: 'cli-public' } }).catch(failure), GREW, audit);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
