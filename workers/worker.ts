/** What Piscina runs in each worker thread. */
import { serve } from './serve.js';
import { session } from './session.js';

export default session(serve);
