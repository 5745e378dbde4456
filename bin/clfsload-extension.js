// As in bin/clfsload.
process.env.UV_THREADPOOL_SIZE ??= '128';
import('../dist/programs/extension.js').then(async ({ runExtension, endProcess }) => {
  endProcess(await runExtension(process.argv.slice(2)));
});
