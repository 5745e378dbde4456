/** One character, by its code point; a byte that is not UTF-8 is one, as `decodeExactly` has it. */
type Character = number;

/** Any number of characters, or any one. */
const MANY = 'many';
const ANY = 'any';

/** `[…]`: characters and ranges, or all but these. */
interface CharacterSet {
  readonly isNegated: boolean;
  readonly ranges: readonly (readonly [first: Character, last: Character])[];
}

type Part = Character | typeof MANY | typeof ANY | CharacterSet;

/**
 * Reads a wildcard for names: `*`, `?`, `[a-z]`, `[!a-z]` (or `[^a-z]`), and `\` before a character that stands for
 * itself; all else stands for itself, parentheses, braces and quotes too. A name takes time in proportion to both lengths
 * at most, whatever the pattern.
 *
 * @param pattern text of `decodeExactly`
 * @returns whether all of a name, as text of `decodeExactly`, is such a one
 */
export function wildcard(pattern: string): (name: string) => boolean {
  const parts = partsOf(Array.from(pattern));
  return (name) => isMatch(parts, name);
}

function isMatch(parts: readonly Part[], name: string): boolean {
  let part = 0;
  let at = 0;
  /** The part behind the latest `*`, and where what follows it is tried. */
  let behind = -1;
  let from = 0;
  while (at < name.length) {
    const wanted = parts[part];
    const character = name.codePointAt(at) as Character;
    if (wanted === MANY) {
      behind = ++part;
      from = at;
    } else if (wanted !== undefined && takes(wanted, character)) {
      at += widthOf(character);
      part++;
    } else if (behind >= 0) {
      from += widthOf(name.codePointAt(from) as Character);
      at = from;
      part = behind;
    } else return false;
  }
  while (parts[part] === MANY) part++;
  return part === parts.length;
}

function takes(part: Exclude<Part, typeof MANY>, character: Character): boolean {
  if (typeof part === 'number') return part === character;
  if (part === ANY) return true;
  return part.ranges.some(([first, last]) => first <= character && character <= last) !== part.isNegated;
}

/** Code units that a character has in a string. */
function widthOf(character: Character): number {
  return character > 0xffff ? 2 : 1;
}

function partsOf(pattern: readonly string[]): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at];
    const set = character === '[' ? setAt(pattern, at + 1) : undefined;
    if (set) {
      parts.push(set.set);
      at = set.end;
    } else if (character === '*') parts.push(MANY);
    else if (character === '?') parts.push(ANY);
    else if (character === '\\' && at + 1 < pattern.length) parts.push(codeOf(pattern[++at]));
    else parts.push(codeOf(character));
  }
  return parts;
}

/** @returns the set that begins there, and where its `]` is; undefined without one: then the `[` stands for itself */
function setAt(
  pattern: readonly string[],
  begin: number,
): { readonly set: CharacterSet; readonly end: number } | undefined {
  let at = begin;
  const isNegated = pattern[at] === '!' || pattern[at] === '^';
  if (isNegated) at++;
  const ranges: [Character, Character][] = [];
  const take = () => codeOf(pattern[pattern[at] === '\\' && at + 1 < pattern.length ? ++at : at]);
  // A "]" that comes first is one of the characters.
  for (const first = at; at < pattern.length; at++) {
    if (pattern[at] === ']' && at > first) return { set: { isNegated, ranges }, end: at };
    const lowest = take();
    const isRange = pattern[at + 1] === '-' && at + 2 < pattern.length && pattern[at + 2] !== ']';
    if (isRange) at += 2;
    ranges.push([lowest, isRange ? take() : lowest]);
  }
  return undefined;
}

function codeOf(character: string): Character {
  return character.codePointAt(0) as Character;
}
