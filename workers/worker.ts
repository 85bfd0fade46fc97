/** What worker threads run; `worker.cjs` starts it. */
import { serve } from './serve.js';
import { session } from './session.js';

export default session(serve);
