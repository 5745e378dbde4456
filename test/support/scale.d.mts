/** Builds the program. @returns its path */
export function buildScale(): Promise<string>;
/** Runs one verb. @returns what `runAtScale` of scale-verbs.ts returns */
export function runScale(path: string, verb: string, count: number): unknown;
