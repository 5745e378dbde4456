import { readFileSync } from 'node:fs';
import type { PageReport } from './model.js';

const NO_DATA = '<script type="application/json" id="report">null</script>';

/** The page without data, as the build has made it. */
export function pageHtml(): string {
  return readFileSync(new URL('../page/page.html', import.meta.url), 'utf8');
}

/** What the page may do, as its own text says, for the header of an answer; nobody may frame it. */
export function policyOf(html: string): string {
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
  if (policy === undefined) throw new Error('The page was built without a policy.');
  return `${policy}; frame-ancestors 'none'`;
}

/** The page with its data in it: one file, which asks nobody for anything. */
export function reportHtml(report: PageReport): string {
  // Within a script element "<" alone could end it, or open a comment.
  const json = JSON.stringify(report).replace(/[<>&\u2028\u2029]/g, escapedCharacter);
  return pageHtml()
    .replace("connect-src 'self'", "connect-src 'none'")
    .replace(NO_DATA, () => NO_DATA.replace('null', () => json));
}

function escapedCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
