/** Which language the user reads: said by SLUICE_LANG, else the language of the terminal's locale, else English. */
import { LANGUAGES, type Language } from '../dsl/words.ts'

export function languageOf(environment: Readonly<Record<string, string | undefined>>): Language {
  // `zh_CN.UTF-8` is Chinese, too.
  const said = environment['SLUICE_LANG']?.toLowerCase().split(/[_.@-]/)[0]
  const wish = LANGUAGES.find((each) => each === said)
  if (wish !== undefined) return wish
  // POSIX: the first of these that is set and not empty decides.
  const locale = environment['LC_ALL'] || environment['LC_MESSAGES'] || environment['LANG'] || ''
  return locale.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}
