/** The stages as a directed graph: cycles with the reason of each edge, and the order to run in. */
import { DirectedGraph } from 'graphology'
import type { Label } from './diagnostic.ts'

export interface Edge {
  /** The stage that must come first. */
  readonly from: string
  readonly to: string
  /** Why the edge exists, with its place in the file. */
  readonly label: Label
}

export type Graph = DirectedGraph<Record<string, never>, { label: Label }>

export function graphOf(nodes: readonly string[], edges: readonly Edge[]): Graph {
  const graph: Graph = new DirectedGraph({ allowSelfLoops: true })
  for (const node of nodes) graph.mergeNode(node)
  for (const { from, to, label } of edges)
    if (graph.hasNode(from) && graph.hasNode(to) && !graph.hasEdge(from, to))
      graph.addEdge(from, to, { label })
  return graph
}

export interface Cycle {
  /** Each waits for the next, the last for the first. */
  readonly path: readonly string[]
  /** One label per edge of the path. */
  readonly labels: readonly Label[]
}

/** One shortest cycle per knot of stages that wait for each other; empty if there is none. */
export function cyclesOf(graph: Graph): readonly Cycle[] {
  const cycles: Cycle[] = []
  const covered = new Set<string>()
  for (const start of graph.nodes().sort()) {
    if (covered.has(start)) continue
    const path = shortestCycle(graph, start)
    if (path === null) continue
    for (const node of path) covered.add(node)
    // The path follows arrows backwards: a stage, then what it waits for.
    const labels = path.map((node, i) => {
      const waitsFor = path[(i + 1) % path.length] ?? node
      return graph.getEdgeAttribute(waitsFor, node, 'label')
    })
    cycles.push({ path, labels })
  }
  return cycles
}

function shortestCycle(graph: Graph, start: string): readonly string[] | null {
  const previous = new Map<string, string>()
  const queue = [start]
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const before of graph.inNeighbors(node).sort()) {
      if (before === start) {
        const path = [node]
        for (let at = node; at !== start;) {
          at = previous.get(at) ?? start
          path.push(at)
        }
        return path.reverse()
      }
      if (previous.has(before)) continue
      previous.set(before, node)
      queue.push(before)
    }
  }
  return null
}

/** Every stage after what it waits for; among those that could come next, by name. The graph has no cycle. */
export function runningOrder(graph: Graph): readonly string[] {
  const waiting = new Map(graph.nodes().map((node) => [node, graph.inDegree(node)]))
  const order: string[] = []
  while (waiting.size > 0) {
    const ready = [...waiting.keys()].filter((node) => waiting.get(node) === 0).sort()
    const next = ready[0]
    if (next === undefined) throw new Error('running order asked of a graph with a cycle')
    waiting.delete(next)
    order.push(next)
    for (const after of graph.outNeighbors(next)) waiting.set(after, (waiting.get(after) ?? 1) - 1)
  }
  return order
}
