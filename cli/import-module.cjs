// Imports a module of the user's. A file of its own: code that comes from V8's cache has lost what `import()` needs.
exports.importModule = (url) => import(url)
