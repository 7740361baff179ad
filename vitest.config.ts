import { defineConfig } from 'vitest/config'

// Files run one after another: training tests take every core, and side by side they would only wait.
export default defineConfig({
  test: { include: ['tests/**/*.test.ts'], testTimeout: 120_000, fileParallelism: false },
})
