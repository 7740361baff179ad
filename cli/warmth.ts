/** Whether this process used the compiler, so that the launcher knows which functions its code cache can hold. */

let used = false

export function noteCompiler(): void {
  used = true
}

export function usedCompiler(): boolean {
  return used
}
