// A stdio host for bridges such as mcp-remote: starts the command, lists the tools, calls one, reports as the clients do.
//   node stdio.mjs [--call NAME[:JSON]] -- COMMAND [ARGUMENT...]
import { parseArgs } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const { values, positionals: [command, ...args] } = parseArgs({
  allowPositionals: true,
  options: { call: { type: 'string', default: 'echo:{"message":"hi"}' } },
});
const [, name, json] = /^([^:]+)(?::(.*))?$/s.exec(values.call);
const client = new Client({ name: 'interop-stdio', version: '1.0.0' }, { capabilities: {} });
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' }));
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const { content, isError } = await client.callTool({ name, arguments: JSON.parse(json ?? '{}') });
console.log(JSON.stringify({ server: client.getServerVersion(), tools, results: [{ tool: name, ok: !isError, content }] }));
await client.close();
process.exit(isError ? 1 : 0);
