/** What the process is warned of. */

/** Catches the warnings that come meanwhile, so that they do not show. */
export async function withWarnings<T>(body: () => Promise<T>) {
  const warnings: { message: string; type: unknown }[] = [];
  const { emitWarning } = process;
  process.emitWarning = (message: string | Error, type?: unknown) => {
    warnings.push({ message: String(message), type });
  };
  try {
    return { result: await body(), warnings };
  } finally {
    process.emitWarning = emitWarning;
  }
}
