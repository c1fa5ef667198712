import type { Kinds as ServedKinds, ResourceType } from '../api/schema/kinds.ts';

/** The resources that are served at this moment, and a way to learn of one that another gateway has only just defined. */
export interface Kinds extends ServedKinds {
  /** As `find`, after catching up with what is committed when the cache knows no such resource. */
  findCurrent(group: string, version: string, resource: string): Promise<ResourceType | undefined>;
}
