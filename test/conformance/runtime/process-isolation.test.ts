/** Who may create a pod has not become root of the host: attacks that must fail, against the real kernel. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uplinkOf } from '../../../src/core/node/runtimes/process/network.ts';
import { createProcessRuntime } from '../../../src/core/node/runtimes/process/process.ts';
import type { Runtime } from '../../../src/core/node/runtimes/runtime.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { silentLogger } from '../../../src/std/log.ts';
import { needs } from '../../support/needs.ts';
import { containerSpec, logsOf, podSpec, readAll, runScript, within } from './contract.ts';

const can = needs(
  'isolation of the process runtime',
  ['root', 'ip', 'setpriv'],
  'apt-get install iproute2 util-linux, and run as root (an ordinary user: process-rootless.test.ts)',
);

describe.skipIf(!can)('isolation of the process runtime as root', () => {
  const state = can ? mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-isolation-`) : '';
  const home = can ? openFolder() : '';
  let runtime: Runtime;
  beforeAll(async () => {
    chmodSync(home, 0o755); // even an open home must not be seen
    writeFileSync(`${home}/key`, 'SECRET');
    runtime = await createProcessRuntime({
      state,
      hide: [home],
      cgroup: 'gatehouse-isolation',
      clock: systemClock,
      log: silentLogger,
    });
  });
  afterAll(async () => {
    await runtime.prune(new Set());
    await runtime.stop();
    rmSync(home, { recursive: true });
    rmSync(state, { recursive: true, force: true });
  });

  // Each script exits with 0 if the attack worked. As the default user and as the pod's own root.
  const attacks: readonly (readonly [string, string])[] = [
    ['mount a file system', 'mount -t tmpfs none /tmp'],
    ['mount in a user namespace of its own', 'unshare --user --map-root-user --mount mount -t tmpfs none /tmp'],
    ['make a user namespace', 'unshare --user true'],
    ['make a device', 'mknod /tmp/disk b 254 0'],
    ['read a disk', 'head -c 1 /dev/vda || head -c 1 /dev/sda'],
    ['read memory', 'head -c 1 /dev/mem || head -c 1 /proc/kcore | grep -q .'],
    ['chroot', 'chroot / true'],
    ['leave by pivot_root', 'cd / && pivot_root . .gatehouse/old'],
    ['unmount a mask', 'umount /proc/sys'],
    ['write a kernel setting', 'echo core >/proc/sys/kernel/core_pattern'],
    ['trigger a sysrq', 'echo h >/proc/sysrq-trigger'],
    ['read /etc/shadow', 'cat /etc/shadow'],
    ['list homes', 'ls /root/.[a-z]* /home/*'],
    ['see the home of Gatehouse', `cat ${home}/key || ls ${home} | grep .`],
    ['see the state of the node', `ls ${state}/pods`],
    ['see host state by way of .gatehouse', 'ls /.gatehouse'],
    ['reach the host by the root of process 1', 'ls /proc/1/root/.gatehouse/old/etc'],
    ['see a process of the host', 'cat /proc/[0-9]*/comm | grep -E "^(node|systemd|sshd)"'],
    ['kill a process of the host', `kill -0 ${process.pid}`],
    ["write to the host's programs", 'touch /usr/bin/evil || echo >>/usr/bin/env'],
    ['set a release agent', 'mkdir /tmp/c && mount -t cgroup -o memory c /tmp/c; ls /sys/fs/cgroup | grep .'],
    ['regain a capability', 'setpriv --ambient-caps +sys_admin --inh-caps +sys_admin true'],
    ['become root by a setuid program', 'su -c true </dev/null || test "$(id -u)" != "$(id -ru)"'],
    ['change its network', 'ip link set lo down || ip addr add 10.0.0.1/8 dev lo'],
    ['open a raw socket', `${process.execPath} -e "" && ping -c1 -W1 192.0.2.1`],
    ['set the clock', 'date -s 2001-01-01'],
    ['load a module', 'modprobe dummy || insmod /nowhere.ko'],
    ['enter another namespace', 'nsenter -t 1 -m true || nsenter --net=/proc/1/ns/net true'],
    ['change the host name', 'hostname evil || echo evil >/proc/sys/kernel/hostname'],
    ['inherit a file of ours', 'ls /proc/1/fd >/tmp/fds; grep -v -x -E "0|1|2|1[0-9]" /tmp/fds'],
  ];
  test.for(attacks)('cannot %s', async ([, script]) => {
    for (const user of [65532, 0]) {
      const wrapped = `(${script}) </dev/null >/tmp/out 2>&1 && { echo "as ${user}"; cat /tmp/out; }`;
      const { code, output } = await runScript(runtime, `${wrapped} && exit 0; exit 99`, { user });
      expect({ code, output }).toEqual({ code: 99, output: '' });
    }
  });

  test('a program has no capability, not even to be gained, and no new privileges', async () => {
    for (const user of [65532, 0, 1000]) {
      const { output } = await runScript(runtime, 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status', { user });
      expect(output.replaceAll(/\s+/g, ' ').trim()).toBe(
        `${['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}: 0000000000000000`).join(' ')} NoNewPrivs: 1`,
      );
    }
  });

  test("a volume over the loader's files gives no power: nothing of the host's root is executed inside", async () => {
    const preload = `${state}-preload`;
    writeFileSync(preload, '/nowhere/evil.so\n');
    const mounts = [{ hostPath: preload, path: '/etc/ld.so.preload', readOnly: true }];
    const { code, output } = await runScript(runtime, 'echo ran as $(id -u)', { mounts });
    expect(code).toBe(0);
    // The loader complained only once an ordinary user ran: the complaints are in the container's own output.
    expect(output).toContain('ran as 65532');
    rmSync(preload);
  });

  test('neither does a link in a volume lead a nested mount to the host', async () => {
    const volume = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-volume-`);
    execFileSync('ln', ['-s', '/.gatehouse/old/tmp', `${volume}/way`]);
    const file = `${volume}/file`;
    writeFileSync(file, 'x');
    const mounts = [
      { hostPath: volume, path: '/data', readOnly: false },
      { hostPath: file, path: '/data/way/gatehouse-pwned', readOnly: false },
    ];
    await runScript(runtime, 'true', { mounts }).catch(() => {});
    expect(existsSync('/tmp/gatehouse-pwned')).toBe(false);
    rmSync(volume, { recursive: true });
  });

  test("volumes are where they belong, owned by the pod's ids, read-only when asked", async () => {
    const volume = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-volume-`);
    chmodSync(volume, 0o777);
    writeFileSync(`${volume}/in`, 'from outside');
    const mounts = [
      { hostPath: volume, path: '/var/run/data', readOnly: false },
      { hostPath: volume, path: '/some/where/deep', readOnly: true },
      { hostPath: `${volume}/in`, path: '/etc/one-file', readOnly: true },
    ];
    const script =
      'cat /var/run/data/in /etc/one-file; echo mine >/var/run/data/out; echo x >/some/where/deep/no || echo " refused"';
    const { output } = await runScript(runtime, script, { mounts });
    expect(output).toContain('from outsidefrom outside');
    expect(output).toContain('refused');
    expect(readFileSync(`${volume}/out`, 'utf8')).toBe('mine\n');
    rmSync(volume, { recursive: true });
  });

  test('a part of a volume is shown alone: a folder, a file, and what links inside the volume lead to', async () => {
    const volume = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-volume-`);
    chmodSync(volume, 0o755);
    mkdirSync(`${volume}/a/b c`, { recursive: true });
    chmodSync(`${volume}/a/b c`, 0o777);
    writeFileSync(`${volume}/a/b c/deep`, 'deep ');
    writeFileSync(`${volume}/file`, 'file ');
    execFileSync('ln', ['-s', 'file', `${volume}/link`]);
    const mounts = [
      { hostPath: volume, path: '/data/folder', readOnly: false, subPath: 'a/b c' },
      { hostPath: volume, path: '/etc/one-file', readOnly: true, subPath: 'file' },
      { hostPath: volume, path: '/linked', readOnly: true, subPath: 'link' },
    ];
    const script = 'ls /data/folder; cat /data/folder/deep /etc/one-file /linked; echo new >/data/folder/new';
    expect(await runScript(runtime, script, { mounts })).toEqual({ code: 0, output: 'deep\ndeep file file ' });
    expect(readFileSync(`${volume}/a/b c/new`, 'utf8')).toBe('new\n');
    rmSync(volume, { recursive: true });
  });

  test.for([
    ['an absolute link', '/etc'],
    ['a link that climbs', '../../../../../../etc'],
    ['a link to process 1', '/proc/1/root/etc'],
    ['a link to a file that the node holds open', '/proc/self/fd/1'],
    ['a link to another volume', '/.gatehouse/src/1'],
    ['a link to the whole', '/.gatehouse/src/0'],
  ] as const)('a part of a volume never leads out of it: %s', async ([, target]) => {
    const folder = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-volume-`);
    for (const name of ['one', 'two']) mkdirSync(`${folder}/${name}`);
    execFileSync('ln', ['-s', target, `${folder}/one/way`]);
    const mounts = [
      { hostPath: `${folder}/one`, path: '/data', readOnly: false, subPath: 'way' },
      { hostPath: `${folder}/two`, path: '/other', readOnly: false },
    ];
    await expect(runScript(runtime, 'ls /data', { mounts })).rejects.toMatchObject({ reason: 'StartFailed' });
    rmSync(folder, { recursive: true });
  });

  test('what one container writes to its root, no other sees, nor the host', async () => {
    await runScript(runtime, 'echo x >/tmp/leak');
    expect((await runScript(runtime, 'ls /tmp/leak')).code).not.toBe(0);
    expect(existsSync('/tmp/leak')).toBe(false);
  });

  test('pods reach each other by address, see their own hosts, name and resolv.conf', async () => {
    const network = (address: string) => ({ kind: 'routed' as const, address });
    const one = await runtime.createSandbox(podSpec({ network: network('10.213.7.2') }));
    const two = await runtime.createSandbox(podSpec({ network: network('10.213.7.3'), hostname: 'two' }));
    const serve =
      'require("net").createServer((s) => s.end(s.remoteAddress)).listen(80, "10.213.7.2", () => console.log("up"))';
    const server = await runtime.startContainer(containerSpec(one, '', { command: [process.execPath, '-e', serve] }));
    for await (const chunk of runtime.readLogs(server.id, { follow: true }, within(10_000)))
      if (chunk.includes('up')) break;
    const dial = 'require("net").connect(80, "10.213.7.2").pipe(process.stdout)';
    const script = `hostname; cat /etc/resolv.conf; ${process.execPath} -e '${dial}'`;
    const client = await runtime.startContainer(containerSpec(two, script));
    await runtime.wait(client.id, within(20_000));
    expect(await logsOf(runtime, client.id)).toBe('two\nnameserver 10.96.0.10\n10.213.7.3');
    await runtime.removeSandbox(one.id);
    await runtime.removeSandbox(two.id);
  });

  test("a pod's link takes packets as large as the machine's uplink, and no larger", async () => {
    const sandbox = await runtime.createSandbox(podSpec({ network: { kind: 'routed', address: '10.213.7.5' } }));
    const mtuOf = (shown: string): string | undefined => / mtu (\d+) /.exec(shown)?.[1];
    const uplink = uplinkOf(readFileSync('/proc/net/route', 'utf8'));
    const machine =
      uplink === undefined ? '1500' : mtuOf(execFileSync('ip', ['-o', 'link', 'show', uplink]).toString());
    const { id } = await runtime.startContainer(containerSpec(sandbox, 'ip -o link show eth0'));
    await runtime.wait(id, within(20_000));
    expect(mtuOf(await logsOf(runtime, id))).toBe(machine);
    expect(mtuOf(execFileSync('ip', ['-o', 'link', 'show', sandbox.hostInterface ?? '']).toString())).toBe(machine);
    await runtime.removeSandbox(sandbox.id);
  });

  test('limits: too much memory is exit 137, processes are counted, usage is measured', async () => {
    const hog = 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))';
    const eaten = await runScript(runtime, '', {
      command: [process.execPath, '-e', hog],
      limits: { memoryBytes: 100 * 2 ** 20 },
    });
    // Killed by the kernel, or by its own failing to get more where limits are those of a process.
    const { limits } = runtime.isolation;
    expect(limits ? eaten.code === 137 : eaten.code > 128).toBe(true);
    const forks = await runScript(runtime, 'for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo all', {
      limits: { pids: 5 },
    });
    expect(forks.output).not.toMatch(/^all$/m);
    const sandbox = await runtime.createSandbox(podSpec());
    const { id } = await runtime.startContainer(
      containerSpec(sandbox, 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 60'),
    );
    const session = await runtime.exec(id, { command: ['sleep', '0.2'], stdin: false, tty: false });
    await readAll(session.stdout);
    const usage = await runtime.usage(id);
    expect(usage !== undefined && usage.cpuNanoseconds > 0 && usage.workingSetBytes > 0).toBe(limits);
    await runtime.removeSandbox(sandbox.id);
  });

  test('nothing is left of a removed pod: no link, mount, cgroup, process, folder', async () => {
    const sandbox = await runtime.createSandbox(podSpec({ network: { kind: 'routed', address: '10.213.7.9' } }));
    const { pid } = await runtime.startContainer(containerSpec(sandbox, 'sleep 60 & sleep 60'));
    expect(readFileSync('/proc/net/dev', 'utf8')).toContain(`${sandbox.hostInterface}:`);
    await runtime.removeSandbox(sandbox.id);
    expect(readFileSync('/proc/net/dev', 'utf8')).not.toContain(`${sandbox.hostInterface}:`);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(sandbox.id);
    expect(readdirSync(`${state}/pods`)).not.toContain(sandbox.id);
    // Its exit code tells of other people's groups only.
    expect(spawnSync('find', ['/sys/fs/cgroup', '-name', `${sandbox.id}*`]).stdout.toString()).toBe('');
  });

  test('a source that is a link, or missing, is refused', async () => {
    const folder = mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-link-`);
    execFileSync('ln', ['-s', '/etc', `${folder}/link`]);
    mkdirSync(`${folder}/there`);
    for (const hostPath of [`${folder}/link`, `${folder}/link/ssl`, `${folder}/nowhere`]) {
      const start = runScript(runtime, 'true', { mounts: [{ hostPath, path: '/x', readOnly: true }] });
      await expect(start).rejects.toMatchObject({ reason: 'InvalidContainer' });
    }
    rmSync(folder, { recursive: true });
  });
});

/** A folder that a container would see if it were not hidden: among programs where we may make one there. */
function openFolder(): string {
  try {
    return mkdtempSync('/opt/gatehouse-home-');
  } catch {
    return mkdtempSync(`${realpathSync(tmpdir())}/gatehouse-home-`);
  }
}
