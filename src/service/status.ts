/** The states of a task record, and which may follow which. */
import { ServiceError } from '../errors.js';

/** Where a task is: handed over, being carried out, and how it ended. */
export type TaskStatus = 'pending' | 'processing' | 'success' | 'failure';

/** What may follow each status. A task that cannot even begin (its input is bad) fails without being processed. */
export const TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  pending: ['processing', 'failure'],
  processing: ['success', 'failure'],
  success: [],
  failure: [],
};

export const STATUSES = Object.keys(TRANSITIONS) as readonly TaskStatus[];

/** Whether a task has ended. */
export function isFinal(status: TaskStatus): boolean {
  return TRANSITIONS[status].length === 0;
}

/** @throws {@link ServiceError} `ERR_MILLRACE_ILLEGAL_TRANSITION` */
export function checkTransition(id: string, from: TaskStatus, to: TaskStatus): void {
  if (TRANSITIONS[from].includes(to)) return;
  const allowed = TRANSITIONS[from].map((status) => `'${status}'`).join(' or ') || 'nothing, as it has ended';
  throw new ServiceError(
    'ERR_MILLRACE_ILLEGAL_TRANSITION',
    `Task ${id}: status cannot change from '${from}' to '${to}'; what may follow is ${allowed}`,
    { id },
  );
}
