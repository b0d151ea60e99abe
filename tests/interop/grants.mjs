// Two strict client libraries at the managed issuer, every grant and every way to authenticate, with none of their checks
// relaxed: TLS, `iss`, PKCE, RFC 9068 tokens, RFC 9207 answers. One line per case, then the sum.
//   node grants.mjs [--only PATTERN]     GATEHOUSE=FILE: the binary, default ../../build/gatehouse
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { walk } from '../../deploy/demo/user.mjs';
import { certificates, log, run, tail } from './house.mjs';
import { account, managed } from './managed.mjs';

const { values: opts } = parseArgs({ options: { only: { type: 'string' } } });
const REDIRECT = 'http://127.0.0.1:8765/callback';
const SECRET = 'a secret: 100% &+=/?#"é'; // what has to be encoded for Basic and in a form

// ---- the clients of the settings, one for each way to authenticate
const file = (name, text) => (writeFileSync(join(run, name), text, { mode: 0o600 }), join(run, name));
const common = { redirect_uris: ['http://127.0.0.1/callback'], client_credentials: true };
const clients = {
  public: { redirect_uris: common.redirect_uris },
  basic: { ...common, auth: 'client_secret_basic', secret_file: file('basic.secret', SECRET) },
  post: { ...common, auth: 'client_secret_post', secret_file: file('post.secret', SECRET) },
};
const keys = {};
for (const alg of ['ES256', 'EdDSA', 'RS256', 'PS256']) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' };
  keys[alg] = { key: privateKey, kid: alg };
  clients[alg] = { ...common, auth: 'private_key_jwt', jwks_file: file(`${alg}.jwks`, JSON.stringify({ keys: [jwk] })) };
}
const kinds = Object.keys(clients);

const tls = await certificates();
// By introspection a client sees the tokens that are for the resources which the settings give it.
const house = await managed(tls, { clients: (url) => Object.fromEntries(kinds.map((kind) => [kind, { ...clients[kind], resources: [url] }])) });
const resource = house.url;

// ---- oauth4webapi
const as = await oauth.processDiscoveryResponse(new URL(house.origin), await oauth.discoveryRequest(new URL(house.origin), { algorithm: 'oauth2' }));
const authOf = (kind, from) => kind === 'public' ? from.None() : kind === 'basic' ? from.ClientSecretBasic(SECRET) :
  kind === 'post' ? from.ClientSecretPost(SECRET) : from.PrivateKeyJwt(keys[kind]);

const need = (condition, what) => {
  if (!condition) throw new Error(what);
};
const signIn = async (url) => {
  const end = await walk(String(url), { account, stopAt: (at) => at.startsWith(REDIRECT) });
  need(end.status === null, `the sign-in ended at ${end.url} with ${end.status}`);
  return new URL(end.url);
};
// A call at the MCP server: `what` accepts or refuses the token.
const call = async (token) => (await fetch(resource, {
  method: 'POST',
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
})).status;
// What a resource server does that believes nothing: RFC 9068 with the issuer's keys.
const verified = (token, kind) => oauth.validateJwtAccessToken(as, new Request(resource, { headers: { authorization: `Bearer ${token}` } }), resource)
  .then((claims) => need(claims.client_id === kind && claims.scope === 'mcp:read', `the token says ${JSON.stringify(claims)}`));
const refused = (token) => house.wait(async () => await call(token) === 401); // enforced everywhere a moment after the answer

// `pushed`: the request is handed in at the back door first (RFC 9126).
const first = {
  async code(client, auth, pushed) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const url = new URL(as.authorization_endpoint);
    const asked = new URLSearchParams({ response_type: 'code', client_id: client.client_id, redirect_uri: REDIRECT, resource, scope: 'mcp:read', state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
    url.search = !pushed ? asked : new URLSearchParams({ client_id: client.client_id, request_uri: (await oauth.processPushedAuthorizationResponse(as, client,
      await oauth.pushedAuthorizationRequest(as, client, auth, asked))).request_uri });
    const answer = oauth.validateAuthResponse(as, client, await signIn(url), state);
    return oauth.processAuthorizationCodeResponse(as, client,
      await oauth.authorizationCodeGrantRequest(as, client, auth, answer, REDIRECT, verifier, { additionalParameters: { resource } }));
  },
  refresh: async (client, auth, token) =>
    oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, token)),
  service: async (client, auth) => oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, auth, { resource, scope: 'mcp:read' })),
  introspect: async (client, auth, token) =>
    oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token)),
  revoke: async (client, auth, token) => oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token)),
  register: async (metadata) => oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, metadata)),
  open: (kind) => ({ client: { client_id: kind }, auth: authOf(kind, oauth) }),
};

// ---- openid-client, in the same words: a client is its configuration
const second = {
  async code(client, _, pushed) {
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = await openid[pushed ? 'buildAuthorizationUrlWithPAR' : 'buildAuthorizationUrl'](client, { redirect_uri: REDIRECT, resource, scope: 'mcp:read', state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' });
    return openid.authorizationCodeGrant(client, await signIn(url), { pkceCodeVerifier: verifier, expectedState: state }, { resource });
  },
  refresh: (client, _, token) => openid.refreshTokenGrant(client, token),
  service: (client) => openid.clientCredentialsGrant(client, { resource, scope: 'mcp:read' }),
  introspect: (client, _, token) => openid.tokenIntrospection(client, token),
  revoke: (client, _, token) => openid.tokenRevocation(client, token),
  register: async (metadata) => (await openid.dynamicClientRegistration(new URL(house.origin), metadata, openid.None(), { algorithm: 'oauth2' })).clientMetadata(),
  open: async (kind) => ({ client: await openid.discovery(new URL(house.origin), kind, undefined, authOf(kind, openid), { algorithm: 'oauth2' }) }),
};

// ---- the cases
let passed = 0;
let failed = 0;
async function verdict(title, check) {
  if (opts.only && !title.includes(opts.only)) return;
  try {
    await check();
    passed++;
    console.log(`ok      ${title}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${title}: ${error.message}: ${JSON.stringify(error.cause ?? {})}`);
  }
}

for (const [name, lib] of [['oauth4webapi', first], ['openid-client', second]]) {
  for (const kind of kinds) {
    const { client, auth } = await lib.open(kind);
    await verdict(`${name}, ${kind}: code with PKCE, refresh, revocation`, async () => {
      const got = await lib.code(client, auth);
      await verified(got.access_token, kind);
      need(await call(got.access_token) === 200, 'the token is not accepted');
      const again = await lib.refresh(client, auth, got.refresh_token);
      await verified(again.access_token, kind);
      need(again.refresh_token && again.refresh_token !== got.refresh_token, 'the refresh token was not replaced');
      await lib.revoke(client, auth, again.refresh_token);
      await refused(again.access_token);
      await lib.refresh(client, auth, again.refresh_token).then(
        () => need(false, 'a revoked refresh token was taken'), (error) => need(error.error === 'invalid_grant', `${error.error} instead of invalid_grant`));
    });
    await verdict(`${name}, ${kind}: pushed request, code with PKCE`, async () => verified((await lib.code(client, auth, true)).access_token, kind));
    if (kind === 'public') continue;
    await verdict(`${name}, ${kind}: client credentials, introspection, revocation`, async () => {
      const got = await lib.service(client, auth);
      await verified(got.access_token, kind);
      need(got.refresh_token === undefined, 'there is a refresh token');
      need(await call(got.access_token) === 200, 'the token is not accepted');
      const told = await lib.introspect(client, auth, got.access_token);
      need(told.active && told.client_id === kind && told.aud === resource && told.scope === 'mcp:read', `introspection says ${JSON.stringify(told)}`);
      await lib.revoke(client, auth, got.access_token);
      await house.wait(async () => (await lib.introspect(client, auth, got.access_token)).active === false);
      await refused(got.access_token);
    });
  }
  await verdict(`${name}: registration`, async () => {
    const made = await lib.register({ client_name: name, redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] });
    const { client, auth } = lib === first ? { client: made, auth: oauth.None() } :
      { client: await openid.discovery(new URL(house.origin), made.client_id, made, openid.None(), { algorithm: 'oauth2' }) };
    await verified((await lib.code(client, auth)).access_token, made.client_id);
  });
}
await verdict('oauth4webapi: the resource names its issuer (RFC 9728)', async () => {
  const document = await oauth.processResourceDiscoveryResponse(new URL(resource), await oauth.resourceDiscoveryRequest(new URL(resource)));
  need(document.authorization_servers.join() === house.origin, `it names ${document.authorization_servers}`);
});
if (failed) console.log(`---- gateway\n${tail('managed', 30)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
