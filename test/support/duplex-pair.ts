import { Duplex } from 'node:stream';

/** Two ends of a connection in memory: what one writes, the other reads, no faster than it reads. */
export function duplexPair(): readonly [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const waiting: (() => void)[] = [() => {}, () => {}];
  for (const [mine, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    ends.push(
      new Duplex({
        read: () => {
          const resume = waiting[mine];
          waiting[mine] = () => {};
          resume?.();
        },
        write: (chunk: Buffer, _encoding, done) => {
          if (ends[other]?.push(chunk) === true) done();
          else waiting[other] = done;
        },
        final: (done) => {
          ends[other]?.push(null);
          done();
        },
        destroy: (error, done) => {
          done(error);
          process.nextTick(() => ends[other]?.destroy());
        },
      }),
    );
  }
  const [one, two] = ends;
  if (one === undefined || two === undefined) throw new Error('a pair is two');
  return [one, two];
}
