// The demo's MCP server on SDK v2: one endpoint for both eras, stateless 2026-07-28 and the handshake versions before it.
//
//   PORT=3000 (0 picks a free one)    READY_FILE=f gets {url, port, pid} once it listens
//   LOG=1                             one JSON line for each answer's head with the request's headers, and one with
//                                     "cut": true when the other side hung up before the end
//   LEGACY=reject                     2026-07-28 only
// Listens on 127.0.0.1; the endpoint is /mcp. It knows nothing of OAuth: that is the gateway's part.
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

const text = (value) => ({ content: [{ type: 'text', text: value }] });
const SKY = ['sun', 'clouds', 'rain', 'wind', 'fog'];

function build() {
  const server = new McpServer({ name: 'gatehouse-demo', version: '1.0.0' }, { capabilities: { tools: { listChanged: true }, logging: {} } });
  server.registerTool('echo', { description: 'Says it again', inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => text(`Echo: ${message}`));
  server.registerTool('get_forecast', {
    description: 'A weather forecast (made up)',
    // 2026-07-28 clients repeat the region in the header Mcp-Param-Region.
    inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }), days: z.int().min(1).max(5).default(3) }),
  }, async ({ region, days }) => {
    const start = [...region].reduce((sum, letter) => sum + letter.codePointAt(0), 0);
    return text(`${region}: ${Array.from({ length: days }, (_, i) => SKY[(start + i) % SKY.length]).join(', ')}`);
  });
  server.registerTool('slow', {
    description: 'Counts to n with a progress notification for each step',
    inputSchema: z.object({ n: z.int().min(1).max(1000), ms: z.int().min(1).max(60_000).default(300) }),
  }, async ({ n, ms }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= n && !mcpReq.signal?.aborted; progress++) {
      await new Promise((done) => setTimeout(done, ms));
      if (progressToken !== undefined)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: n } });
    }
    return text(`counted to ${n}`);
  });
  return server;
}

const handle = toNodeHandler(createMcpHandler(build, { legacy: process.env.LEGACY ?? 'stateless' }));
const say = process.env.LOG === '1' ? (line) => console.log(JSON.stringify(line)) : () => {};

const server = http.createServer((request, response) => {
  const { method, url, headers } = request;
  if (new URL(url, 'http://server').pathname !== '/mcp') return response.writeHead(404).end();
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (status, ...rest) => {
    say({ method, url, status, headers });
    return writeHead(status, ...rest);
  };
  response.on('close', () => response.writableFinished || say({ method, url, cut: true }));
  return handle(request, response);
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const { port } = server.address();
  const url = `http://127.0.0.1:${port}/mcp`;
  if (process.env.READY_FILE) writeFileSync(process.env.READY_FILE, JSON.stringify({ url, port, pid: process.pid }));
  console.log(`ready ${url}`);
});
server.on('error', (error) => {
  console.error(`server: ${error.message}`);
  process.exit(1);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
