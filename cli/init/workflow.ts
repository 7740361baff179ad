/** The GitHub workflow that `init` writes beside a pipeline. */
import { fetchCommand, HISTORY_DEPTH } from '../git.ts'

export function workflowText(name: string, branch: string): string {
  const file = `pipelines/${name}.pipeline.yaml`
  return `# The pipeline on every pull request; its gate decides. Written by sluice init, yours to change.
# A step's exit code: 0 passed, 3 gate failed, 4 gate undecided, 5 waiting for people,
# 1 stage failed, 2 bad file, 6 environment.
name: ${name}
on:
  pull_request:
  push:
    branches: [${branch}]
permissions:
  contents: read
jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: ${String(HISTORY_DEPTH)} }
      # Checks that name main read the lock file on this branch, so the branch and its history have to be here.
      - run: ${fetchCommand(branch)}
      - uses: actions/setup-node@v4
        with: { node-version: 20 }
      - run: npm ci                      # sluice is one of the project's devDependencies
      # Results by content: a pull request trains only what it changes, and main's answers can be compared.
      - uses: actions/cache@v4
        with:
          path: .sluice
          key: sluice-${name}-\${{ github.sha }}
          restore-keys: sluice-${name}-
      - run: npx sluice validate -f ${file}
      - run: npx sluice run --json -f ${file} > run.json
      - if: always()
        run: npx sluice report --md -f ${file} > comment.md
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: sluice-${name}
          path: |
            run.json
            comment.md
`
}
