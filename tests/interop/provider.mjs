// A small authorization server on loopback that plays the customer's identity provider, for tests.
//
//   PORT=9400            0 picks a free one; READY_FILE=f gets {issuer, port, pid} once it listens
//   ISSUER_HOST          name in the issuer's URL, 127.0.0.1; the program listens on 127.0.0.1 only
//   ISSUER_PATH=/a/b     an issuer with a path; its metadata is served inserted (RFC 8414) and appended (OIDC)
//   TLS_CERT, TLS_KEY    PEM files: https
//   AT_ALG=RS256         signature of access tokens: RS, PS, ES 256/384/512 or EdDSA
//   AT_TTL=300           their life in seconds; RT_TTL=86400 of refresh tokens
//   SCOPES='a b'         what every resource knows and a request without scope gets
//   CIMD_DOCS=f          JSON object URL -> client metadata document; nothing is fetched from the network
//   SHAPE=entra-id       claims of ID tokens as that provider writes them: entra-id, okta, google, cognito (see SHAPES)
//   RELYING='[...]'      further clients, as JSON: those who sign people in here, or are told of sign-outs (backchannel_logout_uri)
//
// Everybody who comes is signed in as alice (login_hint=bob: bob, login_hint=deny: refused) and has consented: only
// redirects, no page. Any resource on loopback and any https resource gets tokens (RFC 9068); those with a path under
// /opaque get opaque ones. Clients: dynamic registration; cli-public (code, PKCE); svc / svc-secret
// (client_credentials); gateway / gateway-secret (may introspect).
//
// Test controls:  POST /_test/rotate {"drop": false}        a new signing key; the old one is kept or dropped
//                 POST /_test/ttl    {"seconds": 2}        life of the access tokens from now on
//                 POST /_test/fault  {"path": "/jwks", "status": 503, "delayMs": 0, "times": 1}
//                 GET  /_test/log                           requests and grants seen, newest last
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { Provider, errors } from 'oidc-provider';

const env = process.env;
const number = (name, fallback) => {
  const value = Number(env[name] ?? fallback);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} must be a number`);
  return value;
};
const ISSUER_PATH = (env.ISSUER_PATH ?? '').replace(/\/+$/, '');
const AT_ALG = env.AT_ALG ?? 'RS256';
let accessTokenTTL = number('AT_TTL', 300);
const SCOPES = env.SCOPES ?? 'mcp:read mcp:write mcp:execute';
const USERS = { alice: 'alice@example.com', bob: 'bob@example.org' };

// ---- keys: one for ID tokens (RS256 is mandatory in OIDC), one for access tokens where their algorithm differs
const KINDS = {
  RS: () => ['rsa', { modulusLength: 2048 }],
  PS: () => ['rsa', { modulusLength: 2048 }],
  ES: (bits) => ['ec', { namedCurve: { 256: 'P-256', 384: 'P-384', 512: 'P-521' }[bits] }],
  Ed: () => ['ed25519', {}],
};
let serial = 0;
function newKeys() {
  serial += 1;
  return [...new Set([AT_ALG, 'RS256'])].map((alg) => {
    const { privateKey } = generateKeyPairSync(...KINDS[alg.slice(0, 2)](alg.slice(2)));
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg.toLowerCase()}-${serial}` };
  });
}
let keys = newKeys();

// ---- storage outlives a Provider, so that keys can rotate under live grants
const rows = new Map();
class Memory {
  constructor(model) {
    this.model = model;
  }
  #live(key) {
    const row = rows.get(key);
    if (row && row.until < Date.now()) rows.delete(key);
    return rows.get(key)?.payload;
  }
  async find(id) {
    return this.#live(`${this.model}:${id}`);
  }
  async findByUid(uid) {
    for (const [key, { payload }] of rows) if (key.startsWith(`${this.model}:`) && payload.uid === uid) return this.#live(key);
  }
  async upsert(id, payload, seconds) {
    rows.set(`${this.model}:${id}`, { payload, until: seconds ? Date.now() + seconds * 1000 : Infinity });
  }
  async consume(id) {
    const payload = await this.find(id);
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    rows.delete(`${this.model}:${id}`);
  }
  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of rows) if (payload.grantId === grantId) rows.delete(key);
  }
}

// ---- ID tokens as providers write them, beside what every one has; alice is of the right organisation, bob of none
const TENANT = '11111111-2222-3333-4444-555555555555';
const SHAPES = {
  'entra-id': (id) => ({ ver: '2.0', tid: id === 'alice' ? TENANT : '99999999-2222-3333-4444-555555555555',
    oid: `00000000-0000-0000-0000-${Buffer.from(id).toString('hex').padStart(12, '0').slice(-12)}`, preferred_username: USERS[id], uti: randomBytes(8).toString('hex') }),
  okta: (id) => ({ ver: 1, idp: '00o1example', amr: ['pwd'], preferred_username: USERS[id] }),
  google: (id) => ({ email: USERS[id], email_verified: true, ...(id === 'alice' && { hd: 'example.com' }) }),
  cognito: (id) => ({ token_use: 'id', 'cognito:username': id, email: USERS[id], email_verified: id === 'alice', event_id: randomBytes(8).toString('hex') }),
};
const shape = env.SHAPE ? SHAPES[env.SHAPE] : (id) => ({ email: USERS[id] });

// ---- policy
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);
function resourceServer(_ctx, resource) {
  const url = URL.parse(resource);
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)))) throw new errors.InvalidTarget();
  const common = { scope: SCOPES, audience: resource, accessTokenTTL };
  if (url.pathname.startsWith('/opaque')) return { ...common, accessTokenFormat: 'opaque' };
  return { ...common, accessTokenFormat: 'jwt', jwt: { sign: { alg: AT_ALG } } };
}

const clients = [
  { client_id: 'cli-public', application_type: 'native', token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/callback'] },
  { client_id: 'svc', client_secret: 'svc-secret', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  { client_id: 'gateway', client_secret: 'gateway-secret', grant_types: [], response_types: [], redirect_uris: [] },
  ...JSON.parse(env.RELYING ?? '[]'),
];
const documents = env.CIMD_DOCS && JSON.parse(readFileSync(env.CIMD_DOCS, 'utf8'));
const cookieKeys = [randomBytes(16).toString('hex')];

const configuration = () => ({
  adapter: Memory,
  clients,
  jwks: { keys },
  cookies: { keys: cookieKeys },
  pkce: { required: () => true },
  responseTypes: ['code'],
  scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
  claims: { openid: ['sub', ...Object.keys(shape('alice')).filter((name) => name !== 'email')], email: ['email'], profile: [] },
  conformIdTokenClaims: false, // what providers write into ID tokens, not only what comes from their userinfo endpoint
  clientBasedCORS: () => true,
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  enabledJWA: { authorizationSigningAlgValues: [...new Set(['RS256', AT_ALG])] },
  ttl: { AccessToken: () => accessTokenTTL, ClientCredentials: () => accessTokenTTL, RefreshToken: number('RT_TTL', 86400), IdToken: 300, Grant: 86400,
    Session: 86400, Interaction: 600 },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (_ctx, { uid }) => `${ISSUER_PATH}/interaction/${uid}` },
  findAccount: async (_ctx, id) => USERS[id] && { accountId: id, claims: async () => ({ sub: id, ...shape(id) }) },
  features: {
    devInteractions: { enabled: false },
    dPoP: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async (_ctx, client) => client.clientAuthMethod !== 'none' },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer, useGrantedResource: () => true },
    ...(documents && { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } }),
  },
  async fetch(url, options) {
    const isTold = clients.some((client) => client.backchannel_logout_uri === String(url));
    if (isTold) return fetch(url, { ...options, dispatcher: undefined }); // its own refuses loopback
    if (!documents?.[url]) throw new Error(`no document for ${url}`);
    return Response.json(documents[url], { headers: { 'cache-control': 'max-age=60' } });
  },
});

// Signs in and consents without asking.
async function interaction(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  const finish = (result) => provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
  if (params.login_hint === 'deny') return finish({ error: 'access_denied', error_description: 'the user said no' });
  if (prompt.name === 'login') return finish({ login: { accountId: USERS[params.login_hint] ? params.login_hint : 'alice' } });

  const grant = (grantId && (await provider.Grant.find(grantId))) ??
    new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return finish({ consent: { grantId: await grant.save() } });
}

// ---- wiring
const log = [];
const note = (entry) => {
  log.push({ ...entry, at: Date.now() });
  if (log.length > 1000) log.shift();
};

let provider;
let handle;
function build(issuer) {
  provider = new Provider(issuer, configuration());
  provider.on('grant.success', ({ oidc: { params, client } }) =>
    note({ grant: params.grant_type, resource: params.resource, client: client.clientId }));
  for (const event of ['grant.error', 'authorization.error', 'registration_create.error', 'server_error'])
    provider.on(event, (_ctx, error) => note({ error: error.error ?? 'server_error', detail: error.error_description ?? error.stack }));
  provider.on('backchannel.error', (_ctx, error) => note({ error: 'backchannel', detail: error.stack }));
  handle = provider.callback();
}

const faults = new Map();
async function control(req, res, path) {
  const answer = (status, value) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  let text = '';
  for await (const chunk of req) text += chunk;
  const input = JSON.parse(text || '{}');
  if (path === '/_test/log') return answer(200, log);
  if (path === '/_test/fault') {
    faults.set(input.path, { status: 503, delayMs: 0, times: 1, ...input });
    return answer(200, {});
  }
  if (path === '/_test/ttl') {
    accessTokenTTL = Number(input.seconds);
    return answer(200, {});
  }
  if (path === '/_test/rotate') {
    keys = [...newKeys(), ...(input.drop ? [] : keys)];
    build(provider.issuer);
    return answer(200, { kids: keys.map(({ kid }) => kid) });
  }
  return answer(404, {});
}

async function serve(req, res) {
  const url = new URL(req.url, 'http://issuer');
  if (url.pathname.startsWith('/_test/')) return control(req, res, url.pathname);
  note({ method: req.method, path: url.pathname, resource: url.searchParams.get('resource') ?? undefined,
    pkce: url.searchParams.get('code_challenge_method') ?? undefined });

  // RFC 8414 inserts the well-known segment before the issuer's path, OIDC appends it. A server mounted at a path is
  // told so by originalUrl: all of its own URLs follow.
  const [, inserted] = /^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(\/.*)?$/.exec(url.pathname) ?? [];
  if (ISSUER_PATH && inserted === ISSUER_PATH) req.url = `${ISSUER_PATH}/.well-known/openid-configuration`;
  if (!`${req.url}/`.startsWith(`${ISSUER_PATH}/`)) return res.writeHead(404).end();
  // oidc-provider refuses a resource without any scope; clients which nothing told a scope send none.
  if (url.searchParams.has('resource') && !url.searchParams.has('scope')) req.url += `&scope=${encodeURIComponent(SCOPES)}`;
  req.originalUrl = req.url;
  req.baseUrl = ISSUER_PATH;
  req.url = req.url.slice(ISSUER_PATH.length) || '/';

  const path = new URL(req.url, 'http://issuer').pathname;
  const fault = faults.get(path);
  if (fault?.times > 0) {
    fault.times -= 1;
    await new Promise((done) => setTimeout(done, fault.delayMs));
    if (fault.status) return res.writeHead(fault.status).end('injected fault');
  }
  return path.startsWith('/interaction/') ? interaction(req, res) : handle(req, res);
}

const onRequest = (req, res) => serve(req, res).catch((error) => {
  note({ error: 'server_error', detail: error.stack });
  if (res.headersSent) res.destroy();
  else res.writeHead(500).end();
});
const tls = env.TLS_CERT && { cert: readFileSync(env.TLS_CERT), key: readFileSync(env.TLS_KEY) };
const server = tls ? https.createServer(tls, onRequest) : http.createServer(onRequest);
server.listen(number('PORT', 9400), '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `${tls ? 'https' : 'http'}://${env.ISSUER_HOST ?? '127.0.0.1'}:${port}${ISSUER_PATH}`;
  build(issuer);
  if (env.READY_FILE) writeFileSync(env.READY_FILE, JSON.stringify({ issuer, port, pid: process.pid }), { mode: 0o600 });
  console.log(`ready ${issuer}`);
});
server.on('error', (error) => {
  console.error(`issuer: ${error.message}`);
  process.exit(1);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
