import type { ResourceType } from '../api/schema/kinds.ts';

/** The resources that are served at this moment: the built-in ones, and custom ones as they come and go. */
export interface Kinds {
  find(group: string, version: string, resource: string): ResourceType | undefined;
  /** In discovery's order: core first, within a group the preferred version first. */
  all(): readonly ResourceType[];
}
