// An MCP server of 2026-07-28 that compares no header with the body: what must be refused, it serves.
//   PORT (0 picks a free one), READY_FILE=f gets {url, port, pid}. Listens on 127.0.0.1; the endpoint is /mcp.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';

const TOOL = {
  name: 'region', description: 'Its argument travels in Mcp-Param-Region too',
  inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } }, required: ['region'] },
};
const whole = { resultType: 'complete' };
const results = {
  'server/discover': () => ({ ...whole, supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, serverInfo: { name: 'lax', version: '1' } }),
  'tools/list': () => ({ ...whole, tools: [TOOL], ttlMs: 0, cacheScope: 'private' }),
  'tools/call': ({ arguments: { region } = {} }) => ({ ...whole, content: [{ type: 'text', text: String(region) }] }),
};

const server = http.createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  const { id, method, params } = JSON.parse(body);
  const answer = results[method] ? { result: results[method](params ?? {}) } : { error: { code: -32601, message: 'Method not found' } };
  response.writeHead(answer.result ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
writeFileSync(process.env.READY_FILE, JSON.stringify({ url: `http://127.0.0.1:${port}/mcp`, port, pid: process.pid }));
