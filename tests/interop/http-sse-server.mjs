// An MCP server of 2024-11-05 on SDK v1's SSEServerTransport: streams at /sse, messages at /messages.
//   PORT=0    READY_FILE=f gets {url} once it listens    one JSON line on standard output for each request: {method, url, headers}
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { z } from 'zod';

const text = (value) => ({ content: [{ type: 'text', text: value }] });

function build() {
  const server = new McpServer({ name: 'http-sse', version: '1.0.0' });
  server.registerTool('echo', { inputSchema: { message: z.string() } }, async ({ message }) => text(`Echo: ${message}`));
  // Asks its client something before it answers: what the client says comes as a message too.
  server.registerTool('ask', { inputSchema: {} }, async () => {
    await server.server.ping();
    return text('asked');
  });
  server.registerTool('slow', { inputSchema: { n: z.number(), ms: z.number() } }, async ({ n, ms }, { _meta, sendNotification }) => {
    for (let progress = 1; progress <= n; progress++) {
      await sendNotification({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress, total: n } });
      await new Promise((done) => setTimeout(done, ms)); // the SDK's clients drop a progress that comes together with the result
    }
    return text(`counted to ${n}`);
  });
  server.registerTool('hidden', { inputSchema: {} }, async () => text('seen'));
  return server;
}

const transports = new Map();
const server = http.createServer(async (request, response) => {
  const { method, headers } = request;
  console.log(JSON.stringify({ method, url: request.url, headers }));
  const url = new URL(request.url, 'http://server');
  if (method === 'GET' && url.pathname === '/sse') {
    const transport = new SSEServerTransport('/messages', response);
    transports.set(transport.sessionId, transport);
    response.on('close', () => transports.delete(transport.sessionId));
    return build().connect(transport);
  }
  const transport = transports.get(url.searchParams.get('sessionId'));
  if (method !== 'POST' || url.pathname !== '/messages' || !transport) return response.writeHead(404).end();
  return transport.handlePostMessage(request, response);
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () =>
  writeFileSync(process.env.READY_FILE, JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/sse` })));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
