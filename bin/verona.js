#!/usr/bin/env -S node --single-threaded-gc --max-semi-space-size=4 --heap-growing-percent=300
// Memory of the kernel counts as growth of a small heap and makes collections frequent: collecting on many threads cost a
// fifth of the CPU of ingest, and collecting at every 12 MB of growth another tenth. A larger young generation would only
// be resident memory.
// Runs under any Node, so that a wrong one gets a sentence instead of a syntax error.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `verona needs Node 24 or newer, this is ${process.versions.node}.\n` +
      'In a checkout, `npm install` brings Node 24 along on Linux: use `npm start -- <flags>` or `npx verona <command>`.\n' +
      'Elsewhere install Node 24 from your system or nodejs.org, then try again.\n',
  );
  process.exit(78);
}
// What was compiled at the last start, by the content of each file: half of the CPU of a start, and 30 MB. Threads find
// the folder by the variable; where it cannot be written, all is compiled as without it.
const { enableCompileCache } = await import('node:module');
const { fileURLToPath } = await import('node:url');
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../.cache/compiled', import.meta.url));
enableCompileCache(process.env.NODE_COMPILE_CACHE);
await import('../src/cmd/main.ts');
