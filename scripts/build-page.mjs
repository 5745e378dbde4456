// Makes dist/page/page.html, one file with everything in it: the page of a job, and the report when its data is put
// in. What may run in it is said by the hash of it.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const page = new URL('../page/', import.meta.url).pathname;
const dist = new URL('../dist/page/', import.meta.url).pathname;
const read = (path) => readFileSync(path, 'utf8');
const common = {
  bundle: true,
  minify: true,
  write: false,
  target: ['chrome109', 'firefox115', 'safari16'],
  legalComments: 'none',
  logLevel: 'warning',
};
const [{ text: script }] = (await build({ ...common, entryPoints: [`${page}page.ts`], format: 'iife' })).outputFiles;
const styles = [createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css'), `${page}page.css`];
const [{ text: style }] = (await build({ ...common, stdin: { contents: styles.map(read).join('\n'), loader: 'css' } }))
  .outputFiles;

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'`;
const license = read(createRequire(import.meta.url).resolve('uplot/LICENSE')).trim();
const html = read(`${page}page.html`)
  .replace('LICENSES', () => `Charts: uPlot, https://github.com/leeoniya/uPlot\n\n${license}`)
  .replace('POLICY', () => policy)
  .replace('STYLE', () => style)
  .replace('SCRIPT', () => script);
mkdirSync(dist, { recursive: true });
writeFileSync(`${dist}page.html`, html);
