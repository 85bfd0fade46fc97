/** What workers of workerpool run. */
import workerpool from 'workerpool';
import cell from './cell.js';

workerpool.worker({ cell });
