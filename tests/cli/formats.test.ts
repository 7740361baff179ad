/** Diagnostics for machines: the JSON document, GitHub's workflow commands, SARIF 2.1.0. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { annotations } from '../../cli/reports/annotations.ts'
import { diagnosticJson } from '../../cli/reports/diagnostics-json.ts'
import { sarif } from '../../cli/reports/sarif.ts'
import { languageOf } from '../../cli/language.ts'
import { compile } from '../../dsl/compile.ts'
import type { Diagnostic } from '../../dsl/diagnostic.ts'
import { stageKinds } from '../../stages/catalogue.ts'
import { FILE, freshProject, launch } from './newcomer.ts'

const bad = join(import.meta.dirname, '../dsl/bad')
const same = (path: string): string => path

function diagnosticsOf(name: string): readonly Diagnostic[] {
  return compile({ path: name, text: readFileSync(join(bad, name), 'utf8') }, stageKinds).diagnostics
}

describe('json', () => {
  test('says everything, with places that can be cut out of the text', () => {
    const [first] = diagnosticsOf('E101-option.yaml')
    if (first === undefined) throw new Error('no diagnostic')
    const json = diagnosticJson(first, 'zh')
    expect(json).toMatchObject({
      code: 'E101',
      severity: 'error',
      file: 'E101-option.yaml',
      message: "lora-train 没有选项 'lora_alpha'",
      range: { start: { line: 12, col: 7 }, end: { line: 12, col: 17 } },
      notes: ["'lora_alpha' 是 PEFT / Axolotl 的叫法"],
      fixes: [{ safe: true, edits: [{ text: 'alpha' }] }],
    })
    const { text } = first.primary.span.source
    expect(text.slice(json.range.start.offset, json.range.end.offset)).toBe('lora_alpha')
    expect(json.fixes[0]?.edits[0]?.range).toEqual(json.range)
  })
})

describe('github', () => {
  const line = (diagnostic: Diagnostic): string => annotations([diagnostic], 'en', same)

  test('one command a problem, its properties and text escaped', () => {
    const [first] = diagnosticsOf('E202-never.yaml')
    if (first === undefined) throw new Error('no diagnostic')
    const odd = { ...first, message: { en: '100% wrong,\r\nsee: this', zh: '' } }
    expect(annotations([odd], 'en', () => 'a,b:c%d.yaml')).toBe(
      '::error file=a%2Cb%3Ac%25d.yaml,line=12,endLine=12,col=17,endColumn=19,title=E202::' +
        '100%25 wrong,%0D%0Asee: this%0Ableu lies between 0 and 1 here%0A' +
        'other tools print 0–100; here it is 0–1%0A30%25   or   0.3\n',
    )
  })

  test('a warning is a warning, and a range over lines has no columns', () => {
    const [first] = diagnosticsOf('W203-direction.yaml')
    if (first === undefined) throw new Error('no diagnostic')
    expect(line(first)).toMatch(/^::warning file=W203-direction\.yaml,line=12,/)
    const { source } = first.primary.span
    const long = { ...first, primary: { ...first.primary, span: { source, start: 0, end: 30 } } }
    expect(line(long)).toMatch(/^::warning file=W203-direction\.yaml,line=1,endLine=\d+,title=W203::/)
  })

  test('keeps to the limits: errors first, ten of a kind, the rest counted', () => {
    const [error] = diagnosticsOf('E202-never.yaml')
    const [warning] = diagnosticsOf('W203-direction.yaml')
    if (error === undefined || warning === undefined) throw new Error('no diagnostic')
    const many = Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? warning : error))
    const lines = annotations(many, 'en', same).trimEnd().split('\n')
    expect(lines.map((each) => each.slice(0, 7))).toEqual([
      ...Array.from({ length: 10 }, () => '::error'),
      ...Array.from({ length: 10 }, () => '::warni'),
    ])
    expect(lines[9]).toBe('::error title=sluice::3 more; the log of this step has them all')
    expect(annotations(many.slice(0, 20), 'en', same).split('\n')).toHaveLength(21)
    expect(annotations([], 'en', same)).toBe('')
  })
})

/** The parts of the SARIF 2.1.0 schema that we write, by its own rules. */
const position = { type: 'integer', minimum: 1 }
const message = {
  type: 'object',
  properties: { text: { type: 'string', minLength: 1 } },
  required: ['text'],
  additionalProperties: false,
}
const region = {
  type: 'object',
  properties: { startLine: position, startColumn: position, endLine: position, endColumn: position },
  required: ['startLine', 'startColumn', 'endLine', 'endColumn'],
  additionalProperties: false,
}
const artifactLocation = {
  type: 'object',
  properties: { uri: { type: 'string', format: 'uri-reference' }, uriBaseId: { type: 'string' } },
  required: ['uri'],
  additionalProperties: false,
}
const location = (ids: boolean) => ({
  type: 'object',
  properties: {
    ...(ids ? { id: { type: 'integer', minimum: 0 } } : {}),
    physicalLocation: {
      type: 'object',
      properties: { artifactLocation, region },
      required: ['artifactLocation'],
      additionalProperties: false,
    },
    message,
  },
  additionalProperties: false,
})
const level = { enum: ['none', 'note', 'warning', 'error'] }
const SARIF_SCHEMA = {
  type: 'object',
  required: ['version', 'runs'],
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', format: 'uri' },
    version: { const: '2.1.0' },
    runs: {
      type: 'array',
      items: {
        type: 'object',
        required: ['tool'],
        additionalProperties: false,
        properties: {
          language: { type: 'string', pattern: '^[a-zA-Z]{2}(-[a-zA-Z]{2})?$' },
          columnKind: { enum: ['utf16CodeUnits', 'unicodeCodePoints'] },
          tool: {
            type: 'object',
            required: ['driver'],
            additionalProperties: false,
            properties: {
              driver: {
                type: 'object',
                required: ['name'],
                additionalProperties: false,
                properties: {
                  name: { type: 'string' },
                  version: { type: 'string' },
                  rules: {
                    type: 'array',
                    uniqueItems: true,
                    items: {
                      type: 'object',
                      required: ['id'],
                      additionalProperties: false,
                      properties: {
                        id: { type: 'string' },
                        shortDescription: message,
                        fullDescription: message,
                        help: message,
                        defaultConfiguration: {
                          type: 'object',
                          properties: { level },
                          additionalProperties: false,
                        },
                      },
                    },
                  },
                },
              },
            },
          },
          results: {
            type: 'array',
            items: {
              type: 'object',
              required: ['message'],
              additionalProperties: false,
              properties: {
                ruleId: { type: 'string' },
                ruleIndex: { type: 'integer', minimum: -1 },
                level,
                message,
                locations: { type: 'array', items: location(false) },
                relatedLocations: { type: 'array', uniqueItems: true, items: location(true) },
                fixes: {
                  type: 'array',
                  uniqueItems: true,
                  items: {
                    type: 'object',
                    required: ['artifactChanges'],
                    additionalProperties: false,
                    properties: {
                      description: message,
                      artifactChanges: {
                        type: 'array',
                        minItems: 1,
                        uniqueItems: true,
                        items: {
                          type: 'object',
                          required: ['artifactLocation', 'replacements'],
                          additionalProperties: false,
                          properties: {
                            artifactLocation,
                            replacements: {
                              type: 'array',
                              minItems: 1,
                              items: {
                                type: 'object',
                                required: ['deletedRegion'],
                                additionalProperties: false,
                                properties: {
                                  deletedRegion: region,
                                  insertedContent: {
                                    type: 'object',
                                    properties: { text: { type: 'string' } },
                                    additionalProperties: false,
                                  },
                                },
                              },
                            },
                          },
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
}

describe('sarif', () => {
  const validate = new Ajv({ allErrors: true, validateFormats: false }).compile(SARIF_SCHEMA)
  const files = [
    'E101-option',
    'E111-cycle',
    'E114-tie',
    'E008-quote',
    'E020-indent',
    'W203-direction',
    'many',
  ]

  test.each(files)('%s is a valid log', (name) => {
    for (const language of ['en', 'zh'] as const) {
      const log = sarif(diagnosticsOf(`${name}.yaml`), '1.0.0', language, same)
      expect(validate(JSON.parse(JSON.stringify(log))), JSON.stringify(validate.errors)).toBe(true)
    }
  })

  test('nothing to say is a log without results', () => {
    expect(validate(sarif([], '1.0.0', 'en', same))).toBe(true)
  })

  test('rules are indexed, places are 1-based, paths are escaped', () => {
    const place = (): string => 'pipelines/客服 a.pipeline.yaml'
    const log = JSON.parse(JSON.stringify(sarif(diagnosticsOf('many.yaml'), '1.0.0', 'en', place))) as {
      runs: {
        tool: { driver: { rules: { id: string }[] } }
        results: {
          ruleId: string
          ruleIndex: number
          locations: { physicalLocation: { artifactLocation: { uri: string }; region: object } }[]
        }[]
      }[]
    }
    const [run] = log.runs
    for (const { ruleId, ruleIndex } of run?.results ?? [])
      expect(run?.tool.driver.rules[ruleIndex]?.id).toBe(ruleId)
    const physical = run?.results[0]?.locations[0]?.physicalLocation
    expect(physical?.region).toEqual({ startLine: 5, startColumn: 16, endLine: 5, endColumn: 20 })
    expect(physical?.artifactLocation.uri).toBe('pipelines/%E5%AE%A2%E6%9C%8D%20a.pipeline.yaml')
  })
})

describe('on the command line', () => {
  test('GitHub gets annotations beside the text, with paths from its checkout', async () => {
    const project = freshProject()
    project.edit('epochs: 1', 'epoch: 1')
    const environment = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: join(project.root, '..') }
    for (const verb of ['validate', 'plan', 'run']) {
      const { code, stderr } = await launch(project.root, [verb], [], environment).ended
      expect(code).toBe(2)
      expect(stderr).toContain('error E101')
      const folder = project.root.split('/').at(-1) ?? ''
      expect(stderr).toContain(`::error file=${folder}/${FILE},line=`)
    }
  })

  test('plan and run print the document that was asked for', async () => {
    const project = freshProject()
    project.edit('epochs: 1', 'epoch: 1')
    const plan = await project.sluice('plan', '--format', 'json')
    expect(plan).toMatchObject({ code: 2, stderr: '' })
    expect(JSON.parse(plan.stdout)).toMatchObject([{ code: 'E101', file: FILE }])
    const run = await project.sluice('run', '--format', 'sarif')
    expect(JSON.parse(run.stdout)).toMatchObject({
      version: '2.1.0',
      runs: [{ results: [{ ruleId: 'E101' }] }],
    })
    const odd = await project.sluice('plan', '--format', 'xml')
    expect(odd).toMatchObject({ code: 2, stdout: '' })
    expect(odd.stderr).toContain("--format is one of text, json, github, sarif; this is 'xml'")
  })

  test('the language is that of the terminal, or the one that was asked for', async () => {
    const project = freshProject()
    project.edit('epochs: 1', 'epoch: 1')
    const { stdout, stderr } = await launch(project.root, ['validate'], [], { SLUICE_LANG: 'zh' }).ended
    expect(stdout).toContain('1 个错误')
    expect(stderr).toContain("错误 E101: lora-train 没有选项 'epoch'")
    expect(stderr).toContain('1 个问题中有 1 个可以自动修复：sluice fmt --fix')
    expect(languageOf({})).toBe('en')
    expect(languageOf({ SLUICE_LANG: 'zh_CN' })).toBe('zh')
    expect(languageOf({ SLUICE_LANG: 'en_GB.UTF-8', LANG: 'zh_CN' })).toBe('en')
    expect(languageOf({ LANG: 'zh_CN.UTF-8' })).toBe('zh')
    expect(languageOf({ LC_ALL: 'C', LANG: 'zh_CN.UTF-8' })).toBe('en')
    expect(languageOf({ LC_ALL: '', LC_MESSAGES: 'zh_TW', LANG: 'C' })).toBe('zh')
    expect(languageOf({ SLUICE_LANG: 'en', LANG: 'zh_CN.UTF-8' })).toBe('en')
    expect(languageOf({ SLUICE_LANG: 'fr', LANG: 'zh_CN.UTF-8' })).toBe('zh')
  })
})
