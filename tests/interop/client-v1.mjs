// The official TypeScript SDK, version 1 (handshake era), as a full OAuth client; without arguments it explains itself.
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { drive, options } from './drive.mjs';

await drive(options(), {
  open: ({ url, provider, requestInit }) => ({
    client: new Client({ name: 'interop-v1', version: '1.0.0' }, { capabilities: {} }),
    transport: new StreamableHTTPClientTransport(url, { authProvider: provider, requestInit }),
  }),
  call: (client, params, options) => client.callTool(params, undefined, options),
  isUnauthorized: (error) => error instanceof UnauthorizedError,
  finish: (transport, callback) => transport.finishAuth(callback.get('code')),
});
