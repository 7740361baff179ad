import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['build/**', 'build.*/**', 'node_modules/**', '.sluice/**', '.tools/**', 'tests/fixtures/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // Numbers and booleans in messages are meant.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `() => void effect()` says that nothing is returned.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A generic that names a caller's expectation at a border (JSON, messages).
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Some ops and hooks fulfil an async interface without waiting for anything.
      '@typescript-eslint/require-await': 'off',
      // Text is cut into code points on purpose: that is what tokenizers and n-grams count.
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    // Loops over typed arrays stay inside their bounds by construction; a check per number would cost more than it tells.
    files: ['workers/**/*.ts', 'metrics/**/*.ts', 'tests/**/*.ts', 'bench/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
)
