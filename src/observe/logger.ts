/** Where lines go, one at a time; `console` will do. A level that is missing is not made, either. */
export interface Logger {
  debug?(message: string): void;
  info?(message: string): void;
  warn?(message: string): void;
  error?(message: string): void;
}

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly (keyof Logger)[];

export type LogLevel = (typeof LEVELS)[number];
