import { jsonLine, redact, snakeFields } from '../index.js';

export { pathFields } from '../index.js';

/** A line of JSON whose keys are in snake_case, however the library and the format spell them. */
export function fieldsLine(fields: object): string {
  return jsonLine(snakeFields(fields));
}

/** An error as JSON. @param code as docs/errors.md lists them */
export function errorLine(code: string, message: string): string {
  return jsonLine({ error: { code, message: redact(message) } });
}
