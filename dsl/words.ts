/** A sentence in every language we speak; whoever shows it picks one. */

export const LANGUAGES = ['en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]

/** Texts that can be pasted, such as a corrected line, are the same in every language and stay plain strings. */
export type Words = Readonly<Record<Language, string>>

export function inLanguage(words: Words | string, language: Language): string {
  return typeof words === 'string' ? words : words[language]
}
