import { encodeExactly } from './exact-text.js';

/** What a shell reads within double quotes. */
const SPECIAL = /["$`\\!]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\udc80-\udcff]/u;

/**
 * A text as a word that a shell gives to a program as it is: in double quotes where that is enough, in single ones, or
 * as `$'…'` where bytes of it cannot be seen (bash, zsh, ksh).
 *
 * @param text lone surrogates are bytes, as `decodeExactly` has them
 */
export function shellWord(text: string): string {
  if (UNSEEN.test(text)) return `$'${text.replace(/./gsu, ansiCharacter)}'`;
  return SPECIAL.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : `"${text}"`;
}

function ansiCharacter(character: string): string {
  if (character === '\\' || character === "'") return `\\${character}`;
  if (!UNSEEN.test(character)) return character;
  return [...encodeExactly(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
