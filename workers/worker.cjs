/**
 * What Piscina runs in each worker thread. It is CommonJS on purpose: Piscina `require()`s its file, and a thread that is ended
 * in the middle of requiring an ES module aborts the whole process (Node.js 20.20: a failed assertion in
 * `ModuleWrap::CreateRequiredModuleFacade`). To be ended in the middle of an `import()` does no harm.
 */
module.exports = async ({ entry, ...data }) => (await import(entry)).default(data);
