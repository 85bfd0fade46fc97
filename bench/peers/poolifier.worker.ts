/** What workers of poolifier run. */
import { ThreadWorker } from 'poolifier';
import cell, { type Cell } from './cell.js';

export default new ThreadWorker<Cell, number>((data) => cell(data!));
