import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    environment: 'node',
    include: ['{src,scripts,examples}/**/*.test.{ts,js}'],
    pool: 'forks',
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    update: 'none', // a missing snapshot fails; `npx vitest run -u` writes it
  },
})
