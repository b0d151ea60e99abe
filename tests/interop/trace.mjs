// One JSON line on standard error for each HTTP exchange of a client, through the global fetch that the SDKs use.
import { subscribe } from 'node:diagnostics_channel';
import { Agent, fetch as undiciFetch } from 'undici';

export const say = (line) => process.stderr.write(`${JSON.stringify(line)}\n`);

// Replaces globalThis.fetch by one that reports each exchange on standard error; returns the old one. With h2, https
// requests offer HTTP/2 by ALPN, and this origin must take it: a client must not fall back unseen.
export function traceFetch({ h2 } = {}) {
  const plain = globalThis.fetch;
  const dispatcher = h2 && new Agent({ allowH2: true });
  const send = h2 ? (url, init) => undiciFetch(String(url), { ...init, dispatcher }) : plain;
  subscribe('undici:client:connected', ({ connectParams, socket }) => {
    say({ connected: connectParams.host, alpn: socket.alpnProtocol || undefined });
    if (h2 && connectParams.host === h2.host && socket.alpnProtocol !== 'h2') throw new Error(`${h2.host} does not speak HTTP/2`);
  });
  globalThis.fetch = async (input, init) => {
    const line = { method: init?.method ?? 'GET', url: String(input?.url ?? input) };
    try {
      const response = await send(input, init);
      say({ ...line, status: response.status, challenge: response.headers.get('www-authenticate') ?? undefined });
      return response;
    } catch (error) {
      say({ ...line, error: String(error.cause ?? error) });
      throw error;
    }
  };
  return plain;
}
