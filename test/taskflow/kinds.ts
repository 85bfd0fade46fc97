/** Registers claims for each kind of task, those that travel and those that do not, over every engine. */
import { type Claim, type EngineUnderTest, overEveryEngine } from '../engines.js';
import { type Kit, local, travelling } from '../fixtures/taskflow/tasks.js';

export function overEveryKind(define: (test: Claim, options: EngineUnderTest['options'], tasks: Kit) => void): void {
  for (const [kind, tasks] of Object.entries({ travelling, local })) {
    overEveryEngine((test, options) => define((claim, body) => test(`${claim}: ${kind} tasks`, body), options, tasks));
  }
}
