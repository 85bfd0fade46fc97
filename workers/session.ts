/**
 * A session is the one long task that a worker thread runs for Millrace: it serves packets from a port until it is told to
 * stop, and then leaves the thread free for the next session.
 *
 * The main side sends `{ type: 'stop' }`, this side sends `{ type: 'ready' }`; every other message belongs to `serve`.
 */
import type { MessagePort } from 'node:worker_threads';
import type { SessionData } from '../src/wire/index.js';

/** Installs its own listener on `port`. It must not send anything at once, and must ignore `{ type: 'stop' }`. */
export type Serve = (port: MessagePort, services: MessagePort, words: Int32Array) => void;

/** Makes the function that Piscina calls in the worker thread. Its promise settles when the session is over. */
export function session(serve: Serve): (data: SessionData) => Promise<void> {
  return ({ port, services, words }) =>
    new Promise((resolve) => {
      serve(port, services, words);
      port.on('message', async (message: { type?: unknown } | null) => {
        if (message?.type !== 'stop') return;
        await Promise.all([written(process.stdout), written(process.stderr)]);
        port.close();
      });
      port.once('close', () => {
        services.close();
        resolve();
      });
      port.postMessage({ type: 'ready' });
    });
}

/** What a worker prints waits in it until the main thread asks for more, and is lost when the thread is ended meanwhile. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
