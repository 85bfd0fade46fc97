import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, optionError } from '../config/index.js';
import { received } from '../errors.js';
import { checkPlugin, type TaskPlugin } from './registry.js';

/**
 * Imports the plug-ins that the configuration names.
 *
 * @throws {@link ConfigError} when one cannot be imported, or its default export is no plug-in
 */
export async function loadPlugins(config: Config): Promise<TaskPlugin[]> {
  const plugins: TaskPlugin[] = [];
  for (const path of config.task.plugins) {
    const url = path.startsWith('file:') ? path : pathToFileURL(resolve(path)).href;
    let module: { default?: TaskPlugin };
    try {
      module = await import(url);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : received(cause);
      throw optionError(config, 'task.plugins', `the plug-in ${path} cannot be imported: ${reason}`, { cause });
    }
    if (module.default === undefined) {
      const expected = 'must have a default export: { types, subflows, executors }';
      throw optionError(config, 'task.plugins', `the plug-in ${path} ${expected}`);
    }
    try {
      checkPlugin(module.default);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw optionError(config, 'task.plugins', `the plug-in ${path} cannot be used: ${reason}`, { cause });
    }
    plugins.push(module.default);
  }
  return plugins;
}
