// What the two SDK clients share: the command line, and connect - list - call - (sign in again) - report.
import { parseArgs } from 'node:util';
import { HeadlessProvider } from '../../deploy/demo/user.mjs';
import { say, traceFetch } from './trace.mjs';

const USAGE = `usage: client-vN.mjs URL [options]
  --call NAME[:JSON]   tool to call, may be repeated; default echo:{"message":"hi"}
  --wait MS            pause before every call but the first
  --refresh            before every call but the first, replace the access token by one that no longer passes
  --client-id ID       pre-registered public client instead of registration
  --cimd URL           client metadata document to use as client_id
  --bearer TOKEN       send this token and do no OAuth
  --http-sse           HTTP+SSE of 2024-11-05 instead of Streamable HTTP
  --h2                 HTTP/2 to the MCP endpoint, an error if it speaks only HTTP/1.1
  --sdk PACKAGE        client-v1 only: another version of it, as sdk-1.13
  --era MODE           client-v2 only: legacy, auto (default) or a version to pin, as 2026-07-28
One JSON line on standard output: {server, tools, results, refreshed}; one on standard error for each HTTP exchange.
Exit status 0 when every call succeeded.`;

export function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      call: { type: 'string', multiple: true, default: ['echo:{"message":"hi"}'] },
      wait: { type: 'string', default: '0' },
      refresh: { type: 'boolean' },
      'client-id': { type: 'string' },
      cimd: { type: 'string' },
      bearer: { type: 'string' },
      'http-sse': { type: 'boolean' },
      h2: { type: 'boolean' },
      sdk: { type: 'string', default: '@modelcontextprotocol/sdk' },
      era: { type: 'string', default: 'auto' },
    },
  });
  if (positionals.length !== 1) {
    console.error(USAGE);
    process.exit(2);
  }
  return { url: new URL(positionals[0]), ...values };
}

const parseCall = (text) => {
  const [, name, json] = /^([^:]+)(?::(.*))?$/s.exec(text);
  return { name, arguments: JSON.parse(json ?? '{}') };
};

// sdk.open({ url, provider, requestInit }) -> { client, transport } not yet connected; sdk.call(client, params, options);
// sdk.isUnauthorized(error); sdk.finish(transport, parameters of the authorization response).
export async function drive(opts, sdk) {
  const fetch = traceFetch({ h2: opts.h2 && opts.url });
  const provider = opts.bearer ? undefined : new HeadlessProvider({
    fetch, say: ({ url, hops }) => say({ authorize: String(url), hops }),
    clientMetadataUrl: opts.cimd, client: opts['client-id'] && { client_id: opts['client-id'] },
  });
  const requestInit = opts.bearer && { headers: { authorization: `Bearer ${opts.bearer}` } };
  const make = () => sdk.open({ url: opts.url, provider, requestInit });

  // Runs f; when it ends in "not authorized" and the user has signed in meanwhile, redeems the code and tries again.
  const authorized = async (transport, f, again = f) => {
    try {
      return await f();
    } catch (error) {
      if (!provider?.callback || !sdk.isUnauthorized(error)) throw error;
      await sdk.finish(transport, provider.callback);
      provider.callback = null;
      return again();
    }
  };

  let { client, transport } = make();
  await authorized(transport, () => client.connect(transport), async () => {
    ({ client, transport } = make());
    await client.connect(transport);
  });
  const tools = (await authorized(transport, () => client.listTools())).tools.map((tool) => tool.name);
  const results = [];
  let refreshed = 0;
  for (const [i, call] of opts.call.map(parseCall).entries()) {
    let spoiled;
    if (i > 0) {
      await new Promise((done) => setTimeout(done, Number(opts.wait)));
      if (opts.refresh) spoiled = provider.spoil();
    }
    let progress = 0;
    try {
      const { content, isError } = await authorized(transport, () => sdk.call(client, call, { onprogress: () => progress++ }));
      results.push({ tool: call.name, ok: !isError, content, progress });
    } catch (error) {
      results.push({ tool: call.name, ok: false, error: `${error.constructor.name}: ${error.message}`, progress });
    }
    if (spoiled && provider.tokens()?.access_token !== spoiled) refreshed++;
  }
  console.log(JSON.stringify({ server: client.getServerVersion?.(), tools, results, refreshed }));
  if (transport.sessionId) await transport.terminateSession?.().catch((error) => say({ terminate: error.message }));
  await client.close();
  const anew = !opts.refresh || refreshed === opts.call.length - 1;
  if (!anew) say({ refresh: `${refreshed} new access tokens for ${opts.call.length} calls` });
  process.exit(anew && results.every(({ ok }) => ok) ? 0 : 1);
}
