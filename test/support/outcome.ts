/** What `run` gave, or `refused: MESSAGE` when it threw: lets one table hold rows of both kinds. */
export function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** As `outcome`, for what answers later. */
export async function outcomeLater(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : String(error)}`;
  }
}
