import { escapePath } from './escape-path.js';

/** Fields with keys in snake_case, however they are spelt within; bytes are a path, as text and exactly. */
export function snakeFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeFields);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return pathFields(value);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [snakeKey(key), snakeFields(field)]));
}

/** JSON fields of a path: as text, and exactly. */
export function pathFields(path: Uint8Array): { readonly path: string; readonly path_hex: string } {
  return { path: escapePath(path), path_hex: Buffer.from(path).toString('hex') };
}

function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/[ -]/g, '_');
}
