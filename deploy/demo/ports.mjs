// Prints a free loopback port for each preferred one given: that one where it is free, another where it is taken.
//   node ports.mjs 8080 9400    ->    8080 24327
import { randomInt } from 'node:crypto';
import net from 'node:net';
import { pathToFileURL } from 'node:url';

// Listens on port and returns the socket, or undefined when it is taken.
const hold = (port) => new Promise((done) => {
  const server = net.createServer();
  server.once('error', () => done(undefined));
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => done(server));
});

// Below the range that outgoing connections take their ports from: none of them may come between choice and use.
async function any() {
  for (let tries = 0; tries < 100; tries++) {
    const server = await hold(randomInt(10240, 32768));
    if (server) return server;
  }
  throw new Error('there is no free port');
}

// All sockets are held until every port is chosen, so that no two are the same. A preferred port 0 is any.
export async function freePorts(...preferred) {
  const held = [];
  for (const port of preferred) held.push((port && (await hold(port))) || (await any()));
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log((await freePorts(...process.argv.slice(2).map(Number))).join(' '));
