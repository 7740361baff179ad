/** The one rule for names: lower case, digits and single hyphens, Chinese letters welcome. */

const WORD = 'a-z\\u3007\\u3400-\\u4dbf\\u4e00-\\u9fff'
/** The rule as a regular expression without its ends, also for the schema that editors read. */
export const SLUG_PATTERN = `[${WORD}][${WORD}0-9]*(?:-[${WORD}0-9]+)*`
export const PARAMETER_PATTERN = `[${WORD}][${WORD}0-9]*(?:[-_][${WORD}0-9]+)*`
const SLUG = new RegExp(`^${SLUG_PATTERN}$`, 'u')
const PARAMETER = new RegExp(`^${PARAMETER_PATTERN}$`, 'u')

/** Words that mean something else where a stage's or source's name could stand. */
export const RESERVED: readonly string[] = [
  'main',
  'last',
  'baseline',
  'data',
  'total',
  'params',
  'matrix',
  'run',
  'env',
  'sources',
  'none',
]

export function isSlug(name: string): boolean {
  return SLUG.test(name)
}

/** Ports that a file names itself become environment variables, so they are ASCII. */
export function isPortName(name: string): boolean {
  return /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name)
}

/** Parameters often carry an option's name, so `_` is allowed too. */
export function isParameterName(name: string): boolean {
  return PARAMETER.test(name)
}

/** A name that follows the rule and is close to what was written. */
export function slugOf(name: string): string {
  const slug = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9\u3007\u3400-\u4dbf\u4e00-\u9fff]+/g, '-')
    .replace(/^[-0-9]+|-+$/g, '')
  return isSlug(slug) ? slug : 'my-name'
}
