import type { Controller } from './controller.js';
import type { Retry } from './retry.js';
import { TaskAtom } from './task.js';

/** A retry as part of one flow: the first atom in it. It never travels. */
export class RetryAtom extends TaskAtom {
  readonly origin: Retry;

  constructor(origin: Retry, flow: string) {
    super(origin.definition, { ...origin.wiring, name: origin.name ?? `${flow}_retry` });
    this.origin = origin;
  }

  override get controller(): Controller {
    return this.origin.controller;
  }

  override get label(): string {
    return `Retry '${this.name}'`;
  }
}
