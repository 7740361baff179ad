/** The stages and what flows between them: as a drawing, as a list of wires, as mermaid, as dot. */
import type { Pipeline, Stage } from '../../dsl/pipeline.ts'
import { pad, width } from './style.ts'

export interface Edge {
  readonly from: string
  readonly to: string
  readonly port: string
}

export function edgesOf(stages: readonly Stage[]): readonly Edge[] {
  return stages.flatMap((stage) => [
    ...Object.entries(stage.inputs).map(([port, from]) => ({
      from: from.type === 'source' ? `sources.${from.source}` : from.stage,
      to: stage.name,
      port,
    })),
    ...(stage.gate?.baseline == null
      ? []
      : [{ from: stage.gate.baseline, to: stage.name, port: 'baseline' }]),
    ...stage.after.map((from) => ({ from, to: stage.name, port: 'after' })),
  ])
}

/** Every port with where it reads from. */
export function wiringText({ name, stages }: Pipeline): string {
  const text = stages.map((stage) => {
    const into = edgesOf([stage]).map(({ from, port }) => `\n    ${port.padEnd(10)} ← ${from}`)
    return `  ${stage.name}${stage.uses === stage.name ? '' : ` (${stage.uses})`}${into.join('')}`
  })
  return `${name}\n${text.join('\n')}`
}

interface Node {
  readonly name: string
  readonly label: string
  /** Those of them that stand above. */
  readonly from: ReadonlySet<string>
}

/**
 * One line a stage, in running order. What a stage gives flows down its own lane, to the right of the names, until the
 * last stage that takes it; where a lane is not touched, the line to the left is broken.
 */
export function drawingText({ name, stages }: Pipeline): string {
  const nodes = nodesOf(stages)
  const last = new Map(nodes.flatMap((node, at) => [...node.from].map((from) => [from, at] as const)))
  const wide = Math.max(...nodes.map(({ label }) => width(label))) + 1
  const lanes: (string | null)[] = []
  const lines = nodes.map((node, at) => {
    const { from } = node
    const free = lanes.indexOf(null)
    const own = !last.has(node.name) ? -1 : free === -1 ? lanes.length : free
    const before = [...lanes]
    if (own !== -1) lanes[own] = node.name
    const touched = lanes.map((lane, i) => i === own || (lane !== null && from.has(lane)))
    const end = touched.lastIndexOf(true)
    const cells = lanes.map((lane, i) => {
      const goesOn = i < end
      const rest = goesOn ? '─' : ' '
      if (i === own) return `${goesOn ? '┬' : '┐'}${rest}`
      if (lane === null) return `${rest}${rest}`
      if (!from.has(lane)) return `│${rest}`
      const ends = last.get(lane) === at
      return `${ends ? (goesOn ? '┴' : '┘') : goesOn ? '┼' : '┤'}${rest}`
    })
    for (const [i, lane] of before.entries())
      if (lane !== null && from.has(lane) && last.get(lane) === at) lanes[i] = null
    return `  ${pad(node.label, wide)}${end === -1 ? '  ' : '──'}${cells.join('')}`.trimEnd()
  })
  return [name, '', ...lines].join('\n')
}

/** A matrix is one node; a source stands before the first stage that reads it. */
function nodesOf(stages: readonly Stage[]): readonly Node[] {
  const baseOf = new Map(stages.map(({ name, base }) => [name, base]))
  const nodes = new Map<string, { label: string; from: Set<string> }>()
  for (const stage of stages) {
    const from = edgesOf([stage]).map((edge) => baseOf.get(edge.from) ?? edge.from)
    for (const each of from)
      if (each.startsWith('sources.') && !nodes.has(each)) nodes.set(each, { label: each, from: new Set() })
    const count = stages.filter(({ base }) => base === stage.base).length
    const label = count === 1 ? stage.name : `${stage.base} ×${String(count)}`
    const node = nodes.get(stage.base) ?? { label, from: new Set() }
    nodes.set(stage.base, node)
    for (const each of from) if (nodes.has(each) && each !== stage.base) node.from.add(each)
  }
  return [...nodes].map(([name, node]) => ({ name, ...node }))
}

export function mermaidText({ stages }: Pipeline): string {
  const edges = edgesOf(stages)
  const id = (name: string) => name.replaceAll(/[^\p{L}\d]/gu, '_')
  return [
    'flowchart LR',
    ...sourcesIn(edges).map((name) => `  ${id(name)}[("${name}")]`),
    ...stages.map(({ name, gate }) =>
      gate === null ? `  ${id(name)}["${name}"]` : `  ${id(name)}{"${name}"}`,
    ),
    ...edges.map(({ from, to, port }) => `  ${id(from)} -->|"${port}"| ${id(to)}`),
  ].join('\n')
}

export function dotText({ name, stages }: Pipeline): string {
  const edges = edgesOf(stages)
  // Slugs, points of a matrix and ports: a value among them may hold a quote.
  const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, (each) => `\\${each}`)}"`
  return [
    `digraph ${quoted(name)} {`,
    '  rankdir=LR; node [shape=box];',
    ...sourcesIn(edges).map((source) => `  ${quoted(source)} [shape=cylinder];`),
    ...stages.map((stage) => `  ${quoted(stage.name)}${stage.gate === null ? '' : ' [shape=diamond]'};`),
    ...edges.map(({ from, to, port }) => `  ${quoted(from)} -> ${quoted(to)} [label=${quoted(port)}];`),
    '}',
  ].join('\n')
}

function sourcesIn(edges: readonly Edge[]): readonly string[] {
  return [...new Set(edges.flatMap(({ from }) => (from.startsWith('sources.') ? [from] : [])))]
}
