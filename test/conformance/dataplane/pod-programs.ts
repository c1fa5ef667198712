/** The programs that run inside test pods: a server that echoes, and a client that dials once. Plain Node, no packages. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** What came of one dial: an echo, an active refusal, or silence. */
export type Outcome = 'answered' | 'refused' | 'silent';

export interface Dial {
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
}

/** Echoes `NAME` on the given TCP and UDP ports of every address, and says so on standard output. */
export const echoServer = `
const [name, ...ports] = process.argv.slice(1);
const net = require('node:net'), dgram = require('node:dgram');
let waiting = ports.length * 2;
const up = () => { waiting -= 1; if (waiting === 0) process.stdout.write('up'); };
for (const port of ports) {
  net.createServer((socket) => { socket.on('error', () => {}); socket.on('data', () => socket.write(name)); }).listen(Number(port), '::', up);
  const udp = dgram.createSocket('udp6');
  udp.on('message', (_, from) => udp.send(name, from.port, from.address));
  udp.bind(Number(port), '::', up);
}`;

/** Keeps one TCP connection: sends a byte for each line it reads and prints `answered` or `silent` for it. */
export const talker = `
const [to, port] = process.argv.slice(1);
const socket = require('node:net').connect(Number(port), to, () => process.stdout.write('connected\\n'));
let timer;
const say = (word) => { clearTimeout(timer); process.stdout.write(word + '\\n'); };
socket.on('data', () => say('answered'));
socket.on('error', () => say('silent'));
process.stdin.on('data', () => { timer = setTimeout(say, 800, 'silent'); socket.write('x'); });
process.stdin.on('end', () => process.exit(0));`;

const dialer = `
const [to, port, protocol] = process.argv.slice(1);
const end = (word) => { process.stdout.write(word); process.exit(0); };
setTimeout(end, 700, 'silent');
if (protocol === 'TCP') {
  const socket = require('node:net').connect(Number(port), to, () => socket.write('x'));
  socket.on('data', (data) => end('answered ' + data));
  socket.on('error', (error) => end(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH'].includes(error.code) ? 'refused' : 'silent'));
  socket.on('close', () => end('refused'));
} else {
  const socket = require('node:dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (data) => end('answered ' + data));
  socket.on('error', () => end('refused'));
  socket.connect(Number(port), to, () => socket.send('x'));
}`;

/** Dials once by a process started under \`prefix\`. \`who\` is the name the server echoed. */
export function dialOnce(prefix: readonly string[], { to, port, protocol }: Dial): { outcome: Outcome; who: string } {
  const [command, ...args] = [...prefix, process.execPath, '-e', dialer, to, String(port), protocol];
  const { stdout } = spawnSync(command ?? '', args, { encoding: 'utf8', timeout: 5000 });
  return answerOf(stdout);
}

/** As `dialOnce`, while this process goes on: it may be the one that answers. `began` is told the dialling process. */
export async function dialMeanwhile(
  prefix: readonly string[],
  { to, port, protocol }: Dial,
  began: (pid: number) => void = () => {},
): Promise<{ outcome: Outcome; who: string }> {
  const [command, ...args] = [...prefix, process.execPath, '-e', dialer, to, String(port), protocol];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 5000 });
  began(child.pid ?? 0);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  await once(child, 'close');
  return answerOf(stdout);
}

function answerOf(stdout: string): { outcome: Outcome; who: string } {
  const [word, ...who] = stdout.split(' ');
  return { outcome: word === 'answered' || word === 'refused' ? word : 'silent', who: who.join(' ') };
}
