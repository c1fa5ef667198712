import { describe, expect, test } from 'vitest';
import type { ClientSocket, SocketRow } from '../../../src/netpolicy/backends/sockets.ts';
import { isClient, parseSocketRow } from '../../../src/netpolicy/backends/sockets.ts';

const rest = '01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 20 4 30 10 -1';

describe('the tables of sockets', () => {
  test.for<readonly [string, string, SocketRow | undefined]>([
    [
      'IPv4',
      `   3: 0100007F:D431 0100607F:1F90 ${rest}`,
      {
        local: { address: '127.0.0.1', port: 54_321 },
        remote: { address: '127.96.0.1', port: 8080 },
        user: 1000,
        inode: '4711',
      },
    ],
    [
      'IPv4 in an IPv6 socket is IPv4',
      `   3: 0000000000000000FFFF00000100007F:D431 0000000000000000FFFF00000100607F:1F90 ${rest}`,
      {
        local: { address: '127.0.0.1', port: 54_321 },
        remote: { address: '127.96.0.1', port: 8080 },
        user: 1000,
        inode: '4711',
      },
    ],
    [
      'IPv6',
      `   3: 00000000000000000000000001000000:D431 B80D01200000000000000000010000AB:1F90 ${rest}`,
      {
        local: { address: '::1', port: 54_321 },
        remote: { address: '2001:db8::ab00:1', port: 8080 },
        user: 1000,
        inode: '4711',
      },
    ],
    ['what is no row', 'sl  local_address rem_address   st tx_queue', undefined],
    ['an empty line', '', undefined],
  ])('%s', ([, line, row]) => {
    expect(parseSocketRow(line)).toEqual(row);
  });
});

describe("the client's end", () => {
  const client: ClientSocket = {
    protocol: 'TCP',
    address: '127.0.0.1',
    port: 54_321,
    to: { address: '127.96.0.1', port: 8080 },
  };
  const row = (local: string, remote: string): SocketRow => ({
    local: end(local),
    remote: end(remote),
    user: 1,
    inode: '1',
  });
  const end = (text: string): SocketRow['local'] => {
    const [address = '', port] = text.split(' ');
    return { address, port: Number(port) };
  };

  test.for<readonly [string, 'TCP' | 'UDP', SocketRow, boolean]>([
    ['TCP by both of its ends', 'TCP', row('127.0.0.1 54321', '127.96.0.1 8080'), true],
    ['TCP to elsewhere is not', 'TCP', row('127.0.0.1 54321', '127.96.0.2 8080'), false],
    ["the relay's own end is not", 'TCP', row('127.96.0.1 8080', '127.0.0.1 54321'), false],
    ['a TCP listener of that port is not', 'TCP', row('0.0.0.0 54321', '0.0.0.0 0'), false],
    ['UDP connected', 'UDP', row('127.0.0.1 54321', '127.96.0.1 8080'), true],
    ['UDP bound to no address', 'UDP', row('0.0.0.0 54321', '0.0.0.0 0'), true],
    ['UDP bound to no address in IPv6', 'UDP', row(':: 54321', ':: 0'), true],
    ['UDP of another address is not', 'UDP', row('127.0.0.2 54321', '0.0.0.0 0'), false],
    ['UDP connected to elsewhere is not', 'UDP', row('127.0.0.1 54321', '127.96.0.2 8080'), false],
  ])('%s', ([, protocol, one, is]) => {
    expect(isClient(one, { ...client, protocol })).toBe(is);
  });
});
