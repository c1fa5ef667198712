import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Answers `name` on TCP and UDP port 8080 of `address`, to be played a pod by this process; with `who` also who asked. Returns the way to end it. */
export async function answer(name: string, address: string, who = false): Promise<() => void> {
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(who ? `${name} ${socket.remoteAddress}` : name));
  });
  const udp = createSocket('udp4', (_, from) =>
    udp.send(who ? `${name} ${from.address}` : name, from.port, from.address),
  );
  await new Promise<void>((resolve) => tcp.listen(8080, address, resolve));
  await new Promise<void>((resolve) => udp.bind(8080, address, resolve));
  return () => {
    tcp.close();
    udp.close();
  };
}
