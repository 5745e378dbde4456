import { escapePath, jsonLine, redact } from '../index.js';

/** JSON fields of a path: as text, and exactly. */
export function pathFields(path: Uint8Array): { readonly path: string; readonly path_hex: string } {
  return { path: escapePath(path), path_hex: Buffer.from(path).toString('hex') };
}

/** A line of JSON whose keys are in snake_case, however the library and the format spell them. */
export function fieldsLine(fields: object): string {
  return jsonLine(snake(fields));
}

/** An error as JSON. @param code as docs/errors.md lists them */
export function errorLine(code: string, message: string): string {
  return jsonLine({ error: { code, message: redact(message) } });
}

function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return pathFields(value);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [snakeKey(key), snake(field)]));
}

function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/[ -]/g, '_');
}
