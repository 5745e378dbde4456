/**
 * A number and what it counts, in the singular where it is 1: `1 entry`, `2 entries`.
 *
 * @param unit in the plural
 */
export function counted(count: number, unit: string): string {
  return `${count} ${count === 1 ? singular(unit) : unit}`;
}

/** A number of things to which something was done: `1 entry was`, `2 entries were`. */
export function wereCounted(count: number, unit: string): string {
  return `${counted(count, unit)} ${count === 1 ? 'was' : 'were'}`;
}

function singular(unit: string): string {
  return unit.endsWith('ies') ? `${unit.slice(0, -3)}y` : unit.replace(/s$/, '');
}
