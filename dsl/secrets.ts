/** Finds literals that look like secrets: a pipeline file is meant to be committed, a secret is not. */
import type { Diagnostic } from './diagnostic.ts'
import * as problems from './problems/text.ts'
import type { Node } from './tree.ts'

/** Forms that nothing but a key has, with who gives them out. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/\bsk-(?:[A-Za-z]+-)?[A-Za-z0-9_-]{20,}/, 'OpenAI / Anthropic / DeepSeek'],
  [/\bhf_[A-Za-z0-9]{30,}/, 'Hugging Face'],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})/, 'GitHub'],
  [/\bglpat-[A-Za-z0-9_-]{20,}/, 'GitLab'],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/, 'AWS'],
  [/\bLTAI[A-Za-z0-9]{12,}/, '阿里云 / Alibaba Cloud'],
  [/\bAIza[A-Za-z0-9_-]{35}\b/, 'Google'],
  [/\bxox[abprs]-[A-Za-z0-9-]{10,}/, 'Slack'],
  [
    /hooks\.slack\.com\/services\/\S+|open\.feishu\.cn\/open-apis\/bot\/\S+|oapi\.dingtalk\.com\/robot\/send\?access_token=\S+/,
    'Slack / 飞书 / 钉钉',
  ],
  [/\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/, 'JWT'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'PEM'],
  [/^[a-z]+:\/\/[^/\s:@]+:[^/\s@]+@/, 'URL'],
]
/** Names of things that are secret whatever they look like. */
const NAMES = /(?:^|[_-])(?:token|secret|password|passwd|api[_-]?key|access[_-]?key|private[_-]?key)$/i

export function secretsIn(node: Node, key = ''): readonly Diagnostic[] {
  if (node.type === 'map') return node.entries.flatMap((entry) => secretsIn(entry.value, entry.key))
  if (node.type === 'list') return node.items.flatMap((item) => secretsIn(item, key))
  if (node.type !== 'scalar' || typeof node.value !== 'string') return []
  // Keys are short; a long text is looked at where one would stand.
  const value = node.value.slice(0, 4096)
  if (/^(?:env:|=)/.test(value)) return []
  const form = FORMS.find(([pattern]) => pattern.test(value))
  if (form !== undefined) return [problems.secret(node.span, form[1])]
  return NAMES.test(key) && value.length >= 8 ? [problems.secret(node.span, null)] : []
}
