/** Mistakes in how flows are recorded and resumed, each of which the kill tests have to notice. */
import type { Mutant } from './bundle.js';

const journal = 'src/engine/journal.ts';
const ledger = 'src/engine/ledger.ts';
const record = 'src/engine/record.ts';
const scheduler = 'src/engine/scheduler.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'that an atom begins is not recorded',
    soon: true,
    file: journal,
    text: 'this.#append(name, this.#change(ledger, atom, ledger.reverts(atom) ? REVERTING : RUNNING));',
    instead: '',
  },
  {
    name: 'an atom begins before that is recorded',
    file: journal,
    text: 'this.#effects.push({ run: start, starts: true });',
    instead: 'start(true);',
  },
  {
    name: 'effects do not wait for the commit',
    file: journal,
    text: 'if (this.open) this.#effects.push({ run: effect, starts: false });',
    instead: 'if (false) {}',
  },
  {
    name: 'what was interrupted is always reverted',
    soon: true,
    file: record,
    text: 'if (failing(atom)) interrupt(ledger, atom);',
    instead: 'if (true) interrupt(ledger, atom);',
  },
  {
    name: 'an interrupted revert counts as done',
    soon: true,
    file: record,
    text: 'states[atom] = ledger.failures.has(atom) ? FAILURE : SUCCESS;',
    instead: 'states[atom] = 5;',
  },
  {
    name: 'failures are not restored',
    file: record,
    text: 'if (row.failure) ledger.failures.set(atom, decodeStored(row.failure) as Failure);',
    instead: '',
  },
  {
    name: 'results are not restored',
    file: record,
    text: 'if (row.result) ledger.results[atom] = decodeStored(row.result);',
    instead: '',
  },
  {
    name: 'the order in which atoms have finished is not restored',
    file: record,
    text: 'ledger.finished[atom] = row.order;',
    instead: 'ledger.finished[atom] = row.order && 1000 - row.order;',
  },
  {
    name: 'histories are not restored',
    file: record,
    text: 'if (history) ledger.remember(atom, history.map(attemptOf));',
    instead: '',
  },
  {
    name: 'an attempt of a retry is not recorded',
    file: journal,
    text: 'this.lease.attempt(name, history.length - 1, {',
    instead: 'if (history.length > 1) this.lease.attempt(name, 0, {',
  },
  {
    name: 'a retry that was reverted is not forgotten',
    file: journal,
    text: '    this.lease.forget(nameOf(ledger.plan, retry));',
    instead: '',
  },
  {
    name: 'what becomes of the flow is not restored',
    file: record,
    text: 'if (judgement) restoreJudgement(ledger, judgement);',
    instead: '',
  },
  {
    name: 'that all is reverted is not restored',
    file: record,
    text: 'ledger.reverting = reverting;',
    instead: '',
  },
  {
    name: 'retries that have given up are asked again',
    file: record,
    text: 'if (givenUp && retry >= 0) ledger.givenUp.add(retry);',
    instead: '',
  },
  {
    name: 'what is rolled back is not restored',
    file: record,
    text: '  restoreRollbacks(ledger, rows);',
    instead: '',
  },
  {
    name: 'rounds are not restored',
    file: record,
    text: 'ledger.turns.restore(atom, row.rounds, before);',
    instead: 'ledger.turns.restore(atom, 0, before);',
  },
  {
    name: 'interrupted attempts are not counted',
    file: record,
    text: 'ledger.turns.restore(atom, row.rounds, before);',
    instead: 'ledger.turns.restore(atom, row.rounds, 0);',
  },
  {
    name: 'what was put back after it had begun before is forgotten',
    file: journal,
    text: 'attempts > 0 ? begun : ledger.states[atom]',
    instead: 'ledger.states[atom]',
  },
  {
    name: 'what a region has built is not restored',
    file: record,
    text: 'if (ledger.plan.atoms[atom].region !== undefined && recorded.atoms.has(row.name)) {',
    instead: 'if (false) {',
  },
  {
    name: 'that an atom is reverted is not recorded',
    file: journal,
    text: '      case REVERTED: {\n',
    instead: '      case REVERTED: {\n        return NO_CHANGE;\n',
  },
  {
    name: 'what becomes of the flow is not recorded',
    file: ledger,
    text: 'this.journal?.judged(this);',
    instead: '',
  },
  {
    name: 'what is rolled back is not recorded',
    file: ledger,
    text: 'this.journal?.note(nameOf(this.#plan, retry), { retryAfter: rollback.retryAfter ?? null });',
    instead: '',
  },
  {
    name: 'what was rolled back is still recorded as that',
    file: ledger,
    text: 'this.journal?.note(nameOf(this.#plan, retry), { retryAfter: undefined });',
    instead: '',
  },
  {
    name: 'what was interrupted is not reverted when its flow fails before it runs again',
    file: scheduler,
    text: 'for (const atom of turns.interrupted()) {',
    instead: 'for (const atom of [] as number[]) {',
  },
  {
    name: 'who has lost the flow may still record it',
    file: 'src/storage/write-sqlite.ts',
    text: 'if (found?.epoch !== lease.epoch) throw lease.lose();',
    instead: 'if (found === undefined) throw lease.lose();',
  },
];
