// Listens on loopback and repeats every request to the gateway with a bearer token, for tools that cannot send one.
// A Host or Origin that names the shim becomes the gateway's; any other passes unchanged: the gateway's own checks are
// what is tested.
//   TOKEN=... node bearer-shim.mjs GATEWAY_ORIGIN [PORT]
import http from 'node:http';
import https from 'node:https';
import { pathToFileURL } from 'node:url';

// token(path) is the token for a request to that path. Resolves to the port, 127.0.0.1 only.
export async function shim(origin, token, port = 0) {
  const gateway = new URL(origin);
  const { request: send, Agent } = gateway.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true });
  const own = new Set();

  const server = http.createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${token(request.url)}` };
    delete headers.connection;
    if (own.has(headers.host)) headers.host = gateway.host;
    if (headers.origin && own.has(URL.parse(headers.origin)?.host)) headers.origin = gateway.origin;
    const onward = send(new URL(request.url, gateway), { method: request.method, headers, agent, servername: gateway.hostname });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    onward.on('error', (error) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end(String(error));
    });
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  for (const host of ['localhost', '127.0.0.1']) own.add(`${host}:${server.address().port}`);
  return server.address().port;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , origin, port] = process.argv;
  if (!origin || !process.env.TOKEN) {
    console.error('usage: TOKEN=... bearer-shim.mjs GATEWAY_ORIGIN [PORT]');
    process.exit(2);
  }
  console.log(`ready http://localhost:${await shim(origin, () => process.env.TOKEN, Number(port ?? 0))}`);
}
