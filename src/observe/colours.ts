import type { TaskState } from '../engine/index.js';

/** What boxes are filled with, by the state of what is in them. The text on them is black. */
export const COLOURS: Readonly<Record<TaskState, string>> = {
  PENDING: '#f1f3f5',
  RUNNING: '#a5d8ff',
  SUCCESS: '#b2f2bb',
  FAILURE: '#ffa8a8',
  REVERTING: '#ffd8a8',
  REVERTED: '#ffec99',
  REVERT_FAILURE: '#ff6b6b',
  IGNORE: '#dee2e6',
  RETRYING: '#d0bfff',
};
