/** How the world learns what becomes of tasks, without learning what is in them. */
import { channel } from 'node:diagnostics_channel';
import type { TaskSummary } from './record.js';

/** What is told of a task: it was created, is about to be carried out, has changed its status, was removed. */
export const NOTIFICATIONS = ['create', 'run', 'processing', 'success', 'failure', 'remove'] as const;

export type Notification = (typeof NOTIFICATIONS)[number];

/** `millrace:service:create` and so on; each message is a {@link TaskSummary}: no input, no result, no message. */
const channels = Object.fromEntries(NOTIFICATIONS.map((name) => [name, channel(`millrace:service:${name}`)])) as Record<
  Notification,
  ReturnType<typeof channel>
>;

export function publish(notification: Notification, task: TaskSummary): void {
  const { [notification]: to } = channels;
  if (to.hasSubscribers) to.publish(task);
}
