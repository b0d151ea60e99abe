// The official TypeScript SDK, version 2 (both eras), as a full OAuth client; without arguments it explains itself.
import { Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { drive, options } from './drive.mjs';

const opts = options();
const mode = /^20\d\d-/.test(opts.era) ? { pin: opts.era } : opts.era;

const Transport = opts['http-sse'] ? SSEClientTransport : StreamableHTTPClientTransport;
await drive(opts, {
  open: ({ url, provider, requestInit }) => ({
    client: new Client({ name: 'interop-v2', version: '1.0.0' }, { versionNegotiation: { mode } }),
    transport: new Transport(url, { authProvider: provider, requestInit }),
  }),
  call: (client, params, options) => client.callTool(params, options),
  isUnauthorized: (error) => error instanceof UnauthorizedError,
  finish: (transport, callback) => transport.finishAuth(callback),
});
