/**
 * A session is the one long task that a worker thread runs for Millrace: it serves packets from a port until it is told to
 * stop, and then leaves the thread free for the next session.
 *
 * The main side sends `{ type: 'stop' }`, this side sends `{ type: 'ready' }`; every other message belongs to `serve`.
 */
import type { MessagePort } from 'node:worker_threads';
/** What the main side hands to a session: both ports are transferred, the words are shared. */
export interface SessionData {
  readonly port: MessagePort;
  readonly services: MessagePort;
  readonly words: Int32Array;
}
/** Installs its own listener on `port`. It must not send anything at once, and must ignore `{ type: 'stop' }`. */
export type Serve = (port: MessagePort, services: MessagePort, words: Int32Array) => void;
/** Makes the function that Piscina calls in the worker thread. Its promise settles when the session is over. */
export declare function session(serve: Serve): (data: SessionData) => Promise<void>;
