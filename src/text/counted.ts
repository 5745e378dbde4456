/**
 * A number and what it counts, in the singular where it is 1: `1 entry`, `2 entries`.
 *
 * @param unit in the plural
 */
export function counted(count: number, unit: string): string {
  return `${count} ${count === 1 ? singular(unit) : unit}`;
}

function singular(unit: string): string {
  return unit.endsWith('ies') ? `${unit.slice(0, -3)}y` : unit.replace(/s$/, '');
}
