// Type-aware lint. What the compiler already refuses is not asked for again.
import tseslint from 'typescript-eslint'

/** Cores read no clock, no random source, and wait for nothing; the compiler keeps Node out, these keep the language's own out. */
const PURE = [
  { selector: ':function[async=true]', message: 'A core is synchronous.' },
  { selector: 'AwaitExpression', message: 'A core waits for nothing.' },
  { selector: "Identifier[name='Date']", message: 'A core has no clock: time comes in the event.' },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'A core has no random source.' },
  { selector: "Identifier[name='Promise']", message: 'A core is synchronous.' },
]
const MODULES = [
  { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
  { selector: 'ExportAllDeclaration', message: 'Public entries write out every name; other files export their own.' },
]
/** `moveTo` in task.ts checks each edge. */
const MOVES = [
  {
    selector:
      "AssignmentExpression[left.type='MemberExpression'][left.property.name='state'][left.object.name=/task/i]",
    message: 'Only moveTo assigns the state of a task.',
  },
]

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      'dist/',
      'dist-*/',
      'test/types/',
      'test/package/fixtures/',
      'test/no-node.canary.ts',
      '**/*.d.ts',
    ],
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './dashboard/tsconfig.json'] } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-restricted-syntax': ['error', ...MODULES],
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'suite', 'describe', 'it', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // `client.module<typeof import('./tasks.js')>` is how our users write it.
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      // Our interfaces are records of functions, made to be taken apart; classes keep what needs `this` to themselves.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Lists are indexed by counters that were checked: the exclamation mark says so, also where
      // nothing would be taken too, and an assertion would cost time.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/class-literal-property-style': 'off',
    },
  },
  {
    files: ['scheduler/core/**/*.ts', 'worker/core/**/*.ts', 'client/graph/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...MODULES, ...PURE, ...MOVES] },
  },
  {
    files: ['scheduler/core/tasks/task.ts', 'worker/core/task.ts'],
    rules: { 'no-restricted-syntax': ['error', ...MODULES, ...PURE] },
  },
  {
    // Tests hand wrong things over on purpose.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/await-thenable': 'off',
      '@typescript-eslint/no-array-delete': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
)
