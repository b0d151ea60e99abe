// The person at an OAuth client, played without a browser: follows the redirects of a sign-in and keeps cookies.
import { randomUUID } from 'node:crypto';

// The first form of a page, filled in by somebody with this account, who says yes; undefined when there is none.
function fillIn(body, account) {
  const [, action, inside] = /<form method="post" action="([^"]+)">(.*?)<\/form>/s.exec(body) ?? [];
  if (!action) return undefined;
  const fields = new URLSearchParams();
  for (const [input] of inside.matchAll(/<input[^>]*>/g)) {
    const [name, value, type] = ['name', 'value', 'type'].map((word) => new RegExp(` ${word}="([^"]*)"`).exec(input)?.[1] ?? '');
    fields.set(name, type === 'password' ? account.password : type === 'text' ? account.name : value);
  }
  if (/name="answer" value="allow"/.test(inside)) fields.set('answer', 'allow');
  return { action, body: fields };
}

// Opens url and follows redirects until a page does not redirect, or until stopAt(url) says that the address is reached.
// Returns { url, status, body, hops }; status is null when stopAt ended the walk before a request was made. With an
// account, as in $WALK_AS=NAME:PASSWORD, forms on the way are filled in.
const [asName, asPassword] = (process.env.WALK_AS ?? '').split(':');
const me = asPassword && { name: asName, password: asPassword };
export async function walk(url, { stopAt = () => false, fetch = globalThis.fetch, maxHops = 20, account = me } = {}) {
  let form;
  const jar = new Map(); // host -> Map(name -> value)
  for (let hops = 0; hops < maxHops; hops++) {
    if (stopAt(url)) return { url, status: null, body: '', hops };
    const { host } = new URL(url);
    const cookies = jar.get(host) ?? jar.set(host, new Map()).get(host);
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const headers = { accept: 'text/html', ...(cookie && { cookie }) };
    const response = await fetch(url, { redirect: 'manual', headers, ...(form && { method: 'POST', body: form.body }) });
    form = undefined;
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const body = await response.text();
    // a page that goes on by itself counts as a redirect
    const next = response.headers.get('location') ?? /<meta http-equiv="refresh" content="0;url=([^"]+)">/.exec(body)?.[1];
    if (!next || response.status > 399) {
      form = account && response.status === 200 ? fillIn(body, account) : undefined;
      if (!form || form.action.endsWith('/logout')) return { url, status: response.status, body, hops };
    }
    url = new URL(next ?? form.action, url).href;
  }
  throw new Error(`no end after ${maxHops} redirects, at ${url}`);
}

// An OAuth client provider for SDK v1 and v2. After a call that ended in "not authorized", `callback` holds the
// parameters of the authorization response, for the transport's finishAuth.
export class HeadlessProvider {
  callback = null;
  #fetch;
  #say;
  #client;
  #tokens;
  #verifier;
  #discovery;

  constructor({ redirectUrl = 'http://127.0.0.1:8765/callback', clientMetadataUrl, client, fetch, say = () => {} } = {}) {
    this.#fetch = fetch;
    this.#say = say;
    this.#client = client;
    this.redirectUrl = redirectUrl;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: 'Gatehouse headless client',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    return randomUUID();
  }
  clientInformation() {
    return this.#client;
  }
  saveClientInformation(client) {
    this.#client = client;
  }
  tokens() {
    return this.#tokens;
  }
  saveTokens(tokens) {
    this.#tokens = tokens;
  }
  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  saveDiscoveryState(state) {
    this.#discovery = state;
  }
  discoveryState() {
    return this.#discovery;
  }
  invalidateCredentials(what) {
    if (what === 'all' || what === 'tokens') this.#tokens = undefined;
    if (what === 'all' || what === 'client') this.#client = undefined;
    if (what === 'all' || what === 'discovery') this.#discovery = undefined;
  }
  // Makes the access token one that no resource accepts, as if it had expired; the refresh token stays. Returns it.
  spoil() {
    this.#tokens = { ...this.#tokens, access_token: `${this.#tokens.access_token.slice(0, -8)}AAAAAAAA` };
    return this.#tokens.access_token;
  }

  async redirectToAuthorization(url) {
    const started = performance.now();
    const end = await walk(String(url), { fetch: this.#fetch, stopAt: (at) => at.startsWith(this.redirectUrl) });
    if (end.status !== null) throw new Error(`the sign-in ended at ${end.url} with ${end.status}: ${end.body.slice(0, 300)}`);
    this.callback = new URL(end.url).searchParams;
    this.#say({ url: new URL(url), hops: end.hops, callback: this.callback, ms: performance.now() - started });
  }
}
