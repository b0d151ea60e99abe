// Shows a first protected call step by step: a real MCP client (SDK v2) at a gateway, every exchange as it happens.
// first-call.mjs MCP_URL; exit status 0 when each step was seen and the tool answered. The environment: SETUP_LINK, by which the account
// WALK_AS=NAME:PASSWORD is made first; COMMAND_AT and SERVE_AT, microseconds at which the command and the gateway were started.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { HeadlessProvider, walk } from './user.mjs';

const [, , endpoint] = process.argv;
if (!endpoint) {
  console.error('usage: first-call.mjs MCP_URL');
  process.exit(2);
}
const tty = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (tty ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, green, yellow, red, cyan] = [1, 2, 32, 33, 31, 36].map(paint);

// ---- the printed page: what happened, the exchange with status and time, and the lines worth reading
const seen = new Set();
let steps = 0;
function step(name, title, exchange, status, ms, lines = []) {
  seen.add(name);
  const colour = status === undefined || status < 400 ? green : status === 401 ? yellow : red;
  console.log(`\n${bold(cyan(String(++steps).padStart(2)))}  ${bold(title)}`);
  console.log(`    ${exchange}  ${status === undefined ? '' : `${colour(status)}  `}${dim(`${ms.toFixed(1)} ms`)}`);
  for (const line of lines.filter(Boolean)) console.log(`    ${dim('|')} ${line}`);
}
const pick = (object, ...names) => names.filter((name) => object?.[name] !== undefined)
  .map((name) => `${name}: ${[object[name]].flat().map((v) => (typeof v === 'object' ? JSON.stringify(v) : v)).join(' ')}`);
const payload = (jwt) => {
  try {
    return JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
  } catch {
    return undefined; // opaque
  }
};

// What an answer of the MCP endpoint says, out of JSON or out of the last event of a stream.
function rpc(body, type) {
  if (!/event-stream/.test(type)) return body && JSON.parse(body);
  return JSON.parse([...body.matchAll(/^data: ?(.+)$/gm)].at(-1)?.[1] ?? 'null');
}

function show(exchange, { method, url, request }, response, body, ms) {
  const type = response.headers.get('content-type') ?? '';
  const json = /json/.test(type) && body ? JSON.parse(body) : {};
  const status = response.status;
  if (url.href === endpoint) {
    const sent = request ? JSON.parse(request).method : method;
    if (status === 401) {
      return step('challenge', 'A call without a token is refused, and told where to get one', exchange, status, ms,
        [`WWW-Authenticate: ${response.headers.get('www-authenticate')}`, body]);
    }
    const answer = status === 200 ? rpc(body, type) : json;
    const { result, error } = answer ?? {};
    if (error) return step(sent, `${sent} failed`, exchange, status, ms, [JSON.stringify(error)]);
    if (sent === 'tools/list') {
      return step(sent, 'tools/list, through the gateway', exchange, status, ms,
        result.tools.map((tool) => `${tool.name.padEnd(14)}${dim(tool.description)}`));
    }
    if (sent === 'tools/call') {
      const { name, arguments: given } = JSON.parse(request).params;
      return step(sent, 'tools/call, through the gateway', exchange, status, ms,
        [`${name} ${JSON.stringify(given)}`, ...result.content.map((part) => bold(part.text))]);
    }
    return step(sent, `${sent}: the same call with the token reaches the server`, exchange, status, ms, pick(result, 'supportedVersions', 'serverInfo'));
  }
  if (url.pathname.startsWith('/.well-known/oauth-protected-resource'))
    return step('resource', "The resource's metadata names its issuer", exchange, status, ms, pick(json, 'resource', 'authorization_servers', 'scopes_supported'));
  if (url.pathname.includes('/.well-known/'))
    return step('issuer', "The issuer's metadata", exchange, status, ms, pick(json, 'issuer', 'authorization_endpoint', 'token_endpoint', 'registration_endpoint', 'code_challenge_methods_supported'));
  if (request?.startsWith('{')) return step('register', 'The client registers itself', exchange, status, ms, pick(json, 'client_id', 'redirect_uris'));
  const claims = json.access_token ? payload(json.access_token) : undefined;
  return step('token', 'The code is exchanged for a token that is good for this resource only', exchange, status, ms,
    [...pick(json, 'token_type', 'expires_in', 'scope', 'error', 'error_description'), ...(claims ? pick(claims, 'iss', 'aud', 'sub', 'client_id') : [])]);
}

const plain = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const url = new URL(input?.url ?? input);
  const sent = { method: init?.method ?? 'GET', url, request: init?.body && String(init.body) };
  const started = performance.now();
  const response = await plain(input, init);
  const body = sent.method === 'GET' && url.href === endpoint ? '' : await response.clone().text();
  show(`${sent.method} ${url}`, sent, response, body, performance.now() - started);
  return response;
};

const provider = new HeadlessProvider({
  fetch: plain,
  say: ({ url, hops, callback, ms }) => step('code', 'The user signs in and allows it (here a script fills in the pages), PKCE and resource in the request',
    `GET ${url.origin}${url.pathname}`, undefined, ms, [
      ...pick(Object.fromEntries(url.searchParams), 'resource', 'scope', 'code_challenge_method'),
      `${hops} pages and redirects to ${provider.redirectUrl}`, ...pick(Object.fromEntries(callback), 'code', 'iss', 'error', 'error_description')]),
});
const open = async () => {
  const client = new Client({ name: 'first-call', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
  try {
    await client.connect(transport);
  } catch (error) {
    if (!provider.callback || !(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(provider.callback);
    provider.callback = null;
    return open();
  }
  return client;
};

// What is asked of a person, and nothing else: a name and a password.
async function makeAccount(link) {
  const began = performance.now();
  const { url, status } = await walk(link, { fetch: plain });
  if (status !== 200 || !url.endsWith('/account')) throw new Error(`the setup link ended at ${url} with ${status}`);
  step('account', 'The printed link makes the first account: a name and a password', `GET ${new URL(link).origin}/setup?token=...`, status, performance.now() - began);
}
const since = (at) => `${(Date.now() / 1000 - at / 1e6).toFixed(1)} s`;

const started = performance.now();
try {
  if (process.env.SETUP_LINK) await makeAccount(process.env.SETUP_LINK);
  const client = await open();
  await client.listTools();
  const { isError } = await client.callTool({ name: 'get_forecast', arguments: { region: 'Oslo', days: 3 } });
  const { COMMAND_AT, SERVE_AT } = process.env;
  const took = COMMAND_AT && `${since(COMMAND_AT)} after the command, ${since(SERVE_AT)} after the gateway was started`;
  await client.close();
  const missing = ['challenge', 'resource', 'issuer', 'register', 'code', 'token', 'tools/list', 'tools/call'].filter((name) => !seen.has(name));
  if (isError || missing.length) throw new Error(isError ? 'the tool reported an error' : `never seen: ${missing.join(', ')}`);
  console.log(`\n    ${green('done')}: ${steps} steps in ${(performance.now() - started).toFixed(0)} ms`);
  console.log(took ? `    ${bold('first protected call')}: ${took}\n` : '');
} catch (error) {
  console.log(`\n    ${red('failed')}: ${error.message}\n`);
  process.exitCode = 1;
}
