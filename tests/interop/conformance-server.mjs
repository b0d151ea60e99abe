// An MCP server with everything the conformance suite's server scenarios ask for by name, for both eras: legacy clients
// get sessions, GET streams and resumption, 2026-07-28 clients stateless requests.
//   PORT (0 picks a free one), READY_FILE=f gets {url, port, pid}. Listens on 127.0.0.1; the endpoint is /mcp.
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import {
  McpServer, ResourceTemplate, completable, createMcpHandler, createRequestStateCodec, fromJsonSchema,
  isLegacyRequest,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const WAV = Buffer.from('RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0', 'latin1').toString('base64');
const text = (value) => ({ type: 'text', text: value });
const content = (...parts) => ({ content: parts });
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });
const string = { type: 'string' };

// ---- what a handler of 2026-07-28 asks its client for
const elicit = (message, properties, required) =>
  ({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema: object(properties, required) } });
const sample = (prompt, maxTokens) =>
  ({ method: 'sampling/createMessage', params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens } });
const ROOTS = { method: 'roots/list', params: {} };
const input = (inputRequests, requestState) => ({ resultType: 'input_required', inputRequests, ...(requestState && { requestState }) });
const state = createRequestStateCodec({ key: randomBytes(32) });

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const declared = ({ mcpReq }) => mcpReq.envelope?.[CAPABILITIES] ?? mcpReq._meta?.[CAPABILITIES] ?? {};

const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: string, city: string } } },
  properties: { name: string, address: { $ref: '#/$defs/address' }, contactMethod: { type: 'string', enum: ['phone', 'email'] }, phone: string, email: string },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};
const titled = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));
const ENUMS = {
  untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
  titledSingle: { type: 'string', oneOf: titled(['value1', 'First Option'], ['value2', 'Second Option'], ['value3', 'Third Option']) },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
  untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
  titledMulti: { type: 'array', items: { anyOf: titled(['value1', 'First Choice'], ['value2', 'Second Choice'], ['value3', 'Third Choice']) } },
};
const DEFAULTS = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};

// ---- content, errors, notifications, requests to a legacy client: name -> [arguments, handler]
// mcpReq.send answers on the call's own stream; elicitInput and requestSampling use the session's GET stream, which may
// come only after the call.
const embedded = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });
const ask = (properties) => async (_args, { mcpReq }) => {
  const { action, content: given } = await mcpReq.send(elicit('Please fill in the form', properties, []));
  return content(text(`Elicitation completed: action=${action}, content=${JSON.stringify(given ?? {})}`));
};
const plainTools = {
  test_simple_text: [{}, async () => content(text('This is a simple text response for testing.'))],
  test_image_content: [{}, async () => content({ type: 'image', data: PNG, mimeType: 'image/png' })],
  test_audio_content: [{}, async () => content({ type: 'audio', data: WAV, mimeType: 'audio/wav' })],
  test_embedded_resource: [{}, async () => content(embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'))],
  test_multiple_content_types: [{}, async () => content(text('Multiple content types test:'), { type: 'image', data: PNG, mimeType: 'image/png' },
    embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'))],
  test_error_handling: [{}, async () => {
    throw new Error('This tool intentionally returns an error for testing');
  }],
  test_tool_with_logging: [{}, async (_args, { mcpReq }) => {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.log('info', line);
      await pause(50);
    }
    return content(text('logged'));
  }],
  test_logging_tool: [{}, async (_args, { mcpReq }) => {
    await mcpReq.log('info', 'only for those who asked');
    return content(text('logged'));
  }],
  test_tool_with_progress: [{}, async (_args, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      await pause(50);
    }
    return content(text('done'));
  }],
  test_sampling: [{ prompt: z.string() }, async ({ prompt }, { mcpReq }) => {
    const { content: reply } = await mcpReq.send(sample(prompt, 100));
    return content(text(`LLM response: ${reply.text}`));
  }],
  test_elicitation: [{ message: z.string() }, async ({ message }, { mcpReq }) => {
    const { action, content: given } = await mcpReq.send(elicit(message, {
      username: { ...string, description: "User's response" }, email: { ...string, description: "User's email address" },
    }));
    return content(text(`User response: action: ${action}, content: ${JSON.stringify(given)}`));
  }],
  test_elicitation_sep1034_defaults: [{}, ask(DEFAULTS)],
  test_elicitation_sep1330_enums: [{}, ask(ENUMS)],
  // Ends its own stream in the middle; the answer waits for the client to come back with Last-Event-ID.
  test_reconnection: [{}, async (_args, { http: exchange }) => {
    await pause(100);
    exchange?.closeSSE?.();
    await pause(100);
    return content(text('after the reconnection'));
  }],
};

// ---- results that ask for input first (2026-07-28); what the client answers comes in inputResponses
const accepted = (mcpReq, key) => (mcpReq.inputResponses?.[key]?.action === 'accept' ? mcpReq.inputResponses[key].content : undefined);
const NAME = { user_name: elicit('What is your name?', { name: string }) };
const inputTools = {
  test_input_required_result_elicitation: async (_args, { mcpReq }) => {
    const name = accepted(mcpReq, 'user_name')?.name;
    return typeof name === 'string' ? content(text(`Hello, ${name}!`)) : input(NAME);
  },
  test_input_required_result_sampling: async (_args, { mcpReq }) => {
    const reply = mcpReq.inputResponses?.capital_question;
    return reply ? content(text(`The model says: ${reply.content?.text}`)) : input({ capital_question: sample('What is the capital of France?', 100) });
  },
  test_input_required_result_list_roots: async (_args, { mcpReq }) => {
    const roots = mcpReq.inputResponses?.client_roots?.roots;
    return roots ? content(text(`Roots: ${roots.map(({ uri }) => uri).join(' ')}`)) : input({ client_roots: ROOTS });
  },
  test_input_required_result_request_state: async (_args, ctx) => {
    if (ctx.mcpReq.requestState()?.asked === 'ok' && ctx.mcpReq.inputResponses?.confirm) return content(text('state-ok'));
    return input({ confirm: elicit('Please confirm', { ok: { type: 'boolean' } }) }, await state.mint({ asked: 'ok' }, ctx));
  },
  test_input_required_result_multiple_inputs: async (_args, ctx) => {
    const given = ctx.mcpReq.inputResponses ?? {};
    if (['user_name', 'greeting', 'client_roots'].every((key) => given[key])) return content(text('all three'));
    return input({ ...NAME, greeting: sample('Generate a greeting', 50), client_roots: ROOTS }, await state.mint({ asked: 'all' }, ctx));
  },
  test_input_required_result_multi_round: async (_args, ctx) => {
    const name = ctx.mcpReq.requestState()?.name;
    if (name && accepted(ctx.mcpReq, 'step2')) return content(text(`${name} likes ${accepted(ctx.mcpReq, 'step2').color}`));
    const given = accepted(ctx.mcpReq, 'step1')?.name;
    if (given) return input({ step2: elicit('Step 2: What is your favorite color?', { color: string }) }, await state.mint({ name: given }, ctx));
    return input({ step1: elicit('Step 1: What is your name?', { name: string }) }, await state.mint({ step: 1 }, ctx));
  },
  test_input_required_result_tampered_state: async (_args, ctx) => {
    if (ctx.mcpReq.requestState()?.asked === 'sealed') return content(text('state-ok'));
    return input({ confirm: elicit('Please confirm', { ok: { type: 'boolean' } }) }, await state.mint({ asked: 'sealed' }, ctx));
  },
  test_input_required_result_capabilities: async (_args, ctx) => {
    const can = declared(ctx);
    if (ctx.mcpReq.inputResponses) return content(text('done'));
    return input({ ...(can.elicitation && NAME), ...(can.sampling && { greeting: sample('Generate a greeting', 50) }), ...(can.roots && { client_roots: ROOTS }) });
  },
  test_streaming_elicitation: async (_args, { mcpReq }) => (mcpReq.inputResponses ? content(text('done')) : input(NAME)),
  // The SDK refuses with -32021 what the client did not declare.
  test_missing_capability: async (_args, { mcpReq }) => (mcpReq.inputResponses ? content(text('done')) : input({ greeting: sample('Greet', 50) })),
  test_trigger_tool_change: async () => {
    modern.notify.toolsChanged();
    return content(text('changed'));
  },
  test_trigger_prompt_change: async () => {
    modern.notify.promptsChanged();
    return content(text('changed'));
  },
};

// ---- one instance: a session's for legacy, a request's for 2026-07-28
function build() {
  const server = new McpServer({ name: 'conformance', version: '1.0.0' }, {
    capabilities: {
      tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}, completions: {},
    },
    requestState: { verify: state.verify },
  });
  for (const [name, [args, handler]] of Object.entries(plainTools))
    server.registerTool(name, { description: name, inputSchema: z.object(args) }, handler);
  for (const [name, handler] of Object.entries(inputTools))
    server.registerTool(name, { description: name, inputSchema: z.object({}) }, handler);
  server.registerTool('test_header_argument', {
    description: 'Its argument travels in Mcp-Param-Region too', inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
  }, async ({ region }) => content(text(region)));
  server.registerTool('json_schema_2020_12_tool', { description: 'JSON Schema 2020-12', inputSchema: fromJsonSchema(SCHEMA_2020_12) },
    async (args) => content(text(JSON.stringify(args))));

  const user = (...parts) => ({ messages: parts.map((part) => ({ role: 'user', content: part })) });
  const suggest = completable(z.string(), (value) => ['paris', 'park', 'party'].filter((word) => word.startsWith(value)));
  server.registerPrompt('test_simple_prompt', { description: 'No arguments' }, async () => user(text('This is a simple prompt for testing.')));
  server.registerPrompt('test_prompt_with_arguments', { description: 'Two arguments', argsSchema: z.object({ arg1: suggest, arg2: z.string() }) },
    async ({ arg1, arg2 }) => user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)));
  server.registerPrompt('test_prompt_with_embedded_resource', { description: 'Embeds', argsSchema: z.object({ resourceUri: z.string() }) },
    async ({ resourceUri }) => user(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'), text('Please process the embedded resource above.')));
  server.registerPrompt('test_prompt_with_image', { description: 'An image' },
    async () => user({ type: 'image', data: PNG, mimeType: 'image/png' }, text('Please analyze the image above.')));
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks first' }, async ({ mcpReq }) => {
    const context = accepted(mcpReq, 'user_context')?.context;
    return context ? user(text(`In the context of ${context}`)) : input({ user_context: elicit('What context should the prompt use?', { context: string }) });
  });

  const resource = (name, uri, mimeType, body) =>
    server.registerResource(name, uri, { description: name, mimeType }, async () => ({ contents: [{ uri, mimeType, ...body }] }));
  resource('static-text', 'test://static-text', 'text/plain', { text: 'This is the content of the static text resource.' });
  resource('static-binary', 'test://static-binary', 'image/png', { blob: PNG });
  resource('watched-resource', 'test://watched-resource', 'text/plain', { text: 'watched' });
  server.registerResource('template', new ResourceTemplate('test://template/{id}/data', { list: undefined }), { description: 'template', mimeType: 'application/json' },
    async (uri, { id }) => ({
      contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }],
    }));
  for (const method of ['resources/subscribe', 'resources/unsubscribe']) server.server.setRequestHandler(method, async () => ({}));
  return server;
}

// ---- legacy: a transport for each session; events are kept, so that a cut stream can be resumed
class Events {
  #events = []; // {id, stream, message}
  async storeEvent(stream, message) {
    const id = `${stream}_${this.#events.length}`;
    this.#events.push({ id, stream, message });
    return id;
  }
  async replayEventsAfter(last, { send }) {
    const at = this.#events.findIndex(({ id }) => id === last);
    const { stream } = this.#events[at];
    for (const event of this.#events.slice(at + 1)) if (event.stream === stream) await send(event.id, event.message);
    return stream;
  }
}
const sessions = new Map();
async function legacy(request, response) {
  const id = request.headers['mcp-session-id'];
  const known = sessions.get(id);
  if (known) return known.handleRequest(request, response, request.body);
  if (id) {
    return response.writeHead(404, { 'content-type': 'application/json' })
      .end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
  }
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (fresh) => sessions.set(fresh, transport),
    onsessionclosed: (ended) => sessions.delete(ended),
    eventStore: new Events(),
    retryInterval: 100,
  });
  await build().connect(transport);
  return transport.handleRequest(request, response, request.body);
}

const modern = createMcpHandler(build, { legacy: 'reject' });
const serveModern = toNodeHandler(modern);
const server = http.createServer(async (request, response) => {
  if (new URL(request.url, 'http://server').pathname !== '/mcp') return response.writeHead(404).end();
  let body = '';
  for await (const chunk of request) body += chunk;
  let parsed;
  try {
    parsed = body ? JSON.parse(body) : undefined;
  } catch {
    return response.writeHead(400, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}');
  }
  if (request.method !== 'POST' || (await isLegacyRequest(await toWebRequest(request, parsed), parsed))) return legacy(Object.assign(request, { body: parsed }), response);
  return serveModern(request, response, parsed);
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const { port } = server.address();
  const url = `http://127.0.0.1:${port}/mcp`;
  if (process.env.READY_FILE) writeFileSync(process.env.READY_FILE, JSON.stringify({ url, port, pid: process.pid }));
  console.log(`ready ${url}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
