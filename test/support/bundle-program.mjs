import { build } from 'esbuild';

/**
 * Joins a program of this folder into one file.
 *
 * @param name of its file, without `.ts` @param folder below `dist` @returns its path
 */
export async function bundleProgram(name, folder) {
  const path = new URL(`../../dist/${folder}/${name}.js`, import.meta.url).pathname;
  await build({
    entryPoints: [new URL(`${name}.ts`, import.meta.url).pathname],
    outfile: path,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi', '@photostructure/sqlite', 'lz4-napi'],
    banner: {
      js: "import { createRequire as createRequireForBundle } from 'node:module';\nconst require = createRequireForBundle(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return path;
}
