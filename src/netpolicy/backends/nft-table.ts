/**
 * One nft table as data, and the commands that make it, or that lead from one to another in one transaction.
 * Within a transaction things are added before what refers to them and deleted after it.
 */
export interface NftSet {
  /** For example `type ipv4_addr`. */
  readonly type: string;
  readonly elements: ReadonlySet<string>;
}

export interface NftMap {
  readonly type: string;
  readonly elements: ReadonlyMap<string, string>;
}

export interface NftChain {
  /** For example `type filter hook forward priority 0`; left out for a chain that is only jumped to. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export interface NftTable {
  readonly counters: readonly string[];
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly maps: ReadonlyMap<string, NftMap>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

const empty: NftTable = { counters: [], sets: new Map(), maps: new Map(), chains: new Map() };

/** Commands that leave exactly `table` in the kernel, whatever was there under this name. */
export function wholeTable(name: string, table: NftTable): readonly string[] {
  const at = `inet ${name}`;
  return [`add table ${at}`, `delete table ${at}`, `add table ${at}`, ...tableDifference(name, empty, table)];
}

/** What tells whether a table is still the one that was written: elements of sets are not looked at, there are too many. */
export interface TableTrace {
  /** A table that was deleted and made again has another. */
  readonly handle: number;
  readonly rules: number;
}

/** The trace of the table `name` in the answer to `nft -j list ruleset`; undefined when it is not there. */
export function traceOf(name: string, answer: unknown): TableTrace | undefined {
  const { nftables = [] } = (answer ?? {}) as { readonly nftables?: readonly ListedPart[] }; // nft's own form
  const handle = nftables.find(({ table }) => table?.name === name)?.table?.handle;
  if (handle === undefined) return undefined;
  return { handle, rules: nftables.filter(({ rule }) => rule?.table === name).length };
}

interface ListedPart {
  readonly table?: { readonly name: string; readonly handle: number };
  readonly rule?: { readonly table: string };
}

/** How many rules `table` has. */
export function ruleCount({ chains }: NftTable): number {
  return [...chains.values()].reduce((sum, { rules }) => sum + rules.length, 0);
}

/** Commands that lead from `before` to `after`; none when they are the same. */
export function tableDifference(name: string, before: NftTable, after: NftTable): readonly string[] {
  const at = `inet ${name}`;
  const isNew =
    (map: ReadonlyMap<string, unknown>) =>
    ([key]: readonly [string, unknown]) =>
      !map.has(key);
  const commands: string[] = [];
  for (const counter of after.counters.filter((one) => !before.counters.includes(one))) {
    commands.push(`add counter ${at} ${counter}`);
  }
  for (const [key, { type }] of [...after.sets].filter(isNew(before.sets)))
    commands.push(`add set ${at} ${key} { ${type}; }`);
  for (const [key, { type }] of [...after.maps].filter(isNew(before.maps)))
    commands.push(`add map ${at} ${key} { ${type}; }`);
  for (const [key, { hook }] of [...after.chains].filter(isNew(before.chains))) {
    commands.push(`add chain ${at} ${key}${hook === undefined ? '' : ` { ${hook}; policy accept; }`}`);
  }
  commands.push(...elementCommands(at, before, after));
  const goneChains = [...before.chains.keys()].filter((key) => !after.chains.has(key));
  for (const [key, { rules }] of after.chains) {
    const old = before.chains.get(key)?.rules ?? [];
    if (rules.join('\n') === old.join('\n')) continue;
    if (old.length > 0) commands.push(`flush chain ${at} ${key}`);
    for (const rule of rules) commands.push(`add rule ${at} ${key} ${rule}`);
  }
  for (const key of goneChains) commands.push(`flush chain ${at} ${key}`);
  for (const key of goneChains) commands.push(`delete chain ${at} ${key}`);
  for (const [key] of [...before.sets].filter(isNew(after.sets))) commands.push(`delete set ${at} ${key}`);
  for (const [key] of [...before.maps].filter(isNew(after.maps))) commands.push(`delete map ${at} ${key}`);
  return commands;
}

function elementCommands(at: string, before: NftTable, after: NftTable): readonly string[] {
  const removed: string[] = [];
  const added: string[] = [];
  const note = (key: string, out: readonly string[], into: readonly string[]): void => {
    if (out.length > 0) removed.push(`delete element ${at} ${key} { ${out.join(', ')} }`);
    if (into.length > 0) added.push(`add element ${at} ${key} { ${into.join(', ')} }`);
  };
  for (const [key, { elements }] of after.sets) {
    const old = before.sets.get(key)?.elements ?? new Set<string>();
    if (old !== elements) note(key, minus(old, elements), minus(elements, old));
  }
  for (const [key, { elements }] of after.maps) {
    const old = before.maps.get(key)?.elements ?? new Map<string, string>();
    const spelled = (map: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): readonly string[] =>
      [...map].filter(([from, to]) => other.get(from) !== to).map(([from, to]) => `${from} : ${to}`);
    note(key, spelled(old, elements), spelled(elements, old));
  }
  // A map that goes still holds its references until its elements are gone.
  for (const [key, { elements }] of before.maps) {
    if (!after.maps.has(key))
      note(
        key,
        [...elements].map(([from, to]) => `${from} : ${to}`),
        [],
      );
  }
  return [...removed, ...added];
}

function minus(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...a].filter((one) => !b.has(one));
}
