import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'sim/**/*.test.ts', 'bench/**/*.test.ts', 'e2e/**/*.test.ts', '*.test.ts'],
    pool: 'forks',
    // Many tests wait for real programs; one worker less than cores, the default, would be a single one on two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
