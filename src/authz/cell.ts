/**
 * Something that decisions depend on and that counts its own changes. A cached decision remembers the cells it looked
 * at and the generation each had; it holds for as long as none has moved.
 */
export interface Cell {
  generation: number;
}

/** A cell that has not changed yet. */
export function createCell(): Cell {
  return { generation: 0 };
}
