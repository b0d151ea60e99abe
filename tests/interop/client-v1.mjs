// The official TypeScript SDK, version 1 (handshake era), as a full OAuth client; without arguments it explains itself.
import { drive, options } from './drive.mjs';

const opts = options();
const { Client } = await import(`${opts.sdk}/client/index.js`);
const { StreamableHTTPClientTransport } = await import(`${opts.sdk}/client/streamableHttp.js`);
const { SSEClientTransport } = await import(`${opts.sdk}/client/sse.js`);
const { UnauthorizedError } = await import(`${opts.sdk}/client/auth.js`);

const Transport = opts['http-sse'] ? SSEClientTransport : StreamableHTTPClientTransport;
await drive(opts, {
  open: ({ url, provider, requestInit }) => ({
    client: new Client({ name: 'interop-v1', version: '1.0.0' }, { capabilities: {} }),
    transport: new Transport(url, { authProvider: provider, requestInit }),
  }),
  call: (client, params, options) => client.callTool(params, undefined, options),
  isUnauthorized: (error) => error instanceof UnauthorizedError,
  finish: (transport, callback) => transport.finishAuth(callback.get('code')),
});
