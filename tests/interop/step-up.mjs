// A route begins to ask for a scope that its clients do not have. SDK v1 answers the 403 by a refresh and gives up, unless the route's
// step_up_by_refresh has that refresh fail: then its user is asked. SDK v2 asks its user in either case.
//   node step-up.mjs [--verbose]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { parseArgs } from 'node:util';
import { HeadlessProvider, walk } from '../../deploy/demo/user.mjs';
import { certificates, tail } from './house.mjs';
import { account, managed } from './managed.mjs';

const { values: opts } = parseArgs({ options: { verbose: { type: 'boolean' } } });

class Person extends HeadlessProvider {
  asked = [];
  async redirectToAuthorization(url) {
    this.asked.push(url.searchParams.get('scope'));
    const end = await walk(String(url), { account, stopAt: (at) => at.startsWith(this.redirectUrl) });
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

// Connects and calls with what the route asked for at first; then it asks for more, and the client calls again.
async function story(house, sdk) {
  const provider = new Person();
  const make = () => ({ client: new sdk.Client({ name: 'step-up', version: '1.0.0' }), transport: new sdk.StreamableHTTPClientTransport(new URL(house.url), { authProvider: provider }) });
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
  const call = () => client.callTool({ name: 'echo', arguments: { message: 'hi' } });
  const begin = async () => (await client.connect(transport), true);
  if (!(await authorized(begin))) {
    ({ client, transport } = make());
    await begin();
  }
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

const tls = await certificates();
let passed = 0;
let failed = 0;
for (const [title, name, step_up_by_refresh, expected] of [
  ['SDK v1.25, with the option', 'sdk-1.25', true, 'served'],
  ['SDK v1.25, without it', 'sdk-1.25', false, 'gave up'],
  ['SDK v1.32, with the option', '@modelcontextprotocol/sdk', true, 'served'],
  ['SDK v1.32, without it', '@modelcontextprotocol/sdk', false, 'gave up'],
  ['SDK v2, with the option', 'v2', true, 'served'],
]) {
  const house = await managed(tls, { name: `step-up-${passed + failed}`, route: { step_up_by_refresh } });
  const found = await story(house, await load(name)).catch((error) => ({ end: `${error.constructor.name}: ${error.message}` }));
  const wide = found.asked?.at(-1)?.split(' ').includes('mcp:execute');
  const good = found.end === expected && (expected === 'gave up' || wide);
  if (good) passed++;
  else failed++;
  console.log(good ? `ok      ${title}: ${found.end}` : `FAILED  ${title}: ${JSON.stringify(found)}`);
  if (!good || opts.verbose) console.log(house.audit().slice(-12).map((line) => [line.method, line.path, line.status, line.reason, line.events ?? ''].join(' ')).join('\n'));
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
