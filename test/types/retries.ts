/** What retries, and tasks that may fail, are to the compiler: what comes out of them, and what is refused. Only type checked. */
import type {
  AlwaysRevertFunction,
  ForEachFunction,
  ParameterizedForEachFunction,
  Retry,
  RetryFunction,
  TimesFunction,
} from '../../src/atoms/retry-signature.js';
import type { Task, TaskFunction } from '../../src/atoms/signature.js';
import type {
  Flow,
  GraphFlow,
  GraphFunction,
  LinearFunction,
  RunFunction,
  UnorderedFunction,
} from '../../src/flows/dataflow.js';

declare const task: TaskFunction;
declare const linear: LinearFunction;
declare const unordered: UnorderedFunction;
declare const graph: GraphFunction;
declare const run: RunFunction;
declare const times: TimesFunction;
declare const forEach: ForEachFunction;
declare const parameterizedForEach: ParameterizedForEachFunction;
declare const alwaysRevert: AlwaysRevertFunction;
declare const retry: RetryFunction;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expect<_Holds extends true>(): void {}

type NeedsOf<R> = R extends Retry<infer Needs> ? Needs : never;
type GivesOf<R> = R extends Retry<any, infer Gives> ? Gives : never;

// What retries need and give.
const thrice = times(3);
expect<Equal<typeof thrice, Retry<{}, {}>>>();
const counted = times(3, { provides: 'attempt', delay: 1, retryIf: (error) => error.name !== 'TypeError' });
expect<Equal<GivesOf<typeof counted>, { attempt: number }>>();
const eachHost = forEach(['a', 'b'], { provides: 'host' });
expect<Equal<GivesOf<typeof eachHost>, { host: string }>>();
const eachByKey = forEach([{ host: 'a', port: 1 }], { provides: new Set(['host', 'port'] as const) });
expect<Equal<GivesOf<typeof eachByKey>, { host: string; port: number }>>();
const eachByIndex = forEach(new Set([['a', 1] as const]), { provides: ['host', 'port'] });
expect<Equal<GivesOf<typeof eachByIndex>, { host: 'a'; port: 1 }>>();
const eachGiven = parameterizedForEach({ values: 'directory', provides: 'number' });
expect<Equal<NeedsOf<typeof eachGiven>, { directory: Iterable<any> }>>();
expect<Equal<GivesOf<typeof eachGiven>, { number: any }>>();
const never = alwaysRevert({ name: 'never' });
expect<Equal<typeof never, Retry<{}, {}>>>();

const limited = retry({
  requires: ['limit'],
  optional: 'wait',
  rebind: { limit: 'max' },
  provides: 'size',
  execute: async (history, { limit }: { limit: number; wait?: number }) => history.length + limit,
  onFailure(history, { limit, wait = 0 }) {
    const size: number | undefined = history.last?.value;
    return history.length < limit && size ? { retryAfter: wait } : 'REVERT';
  },
  revert: (history, { limit }) => history.length + limit,
});
expect<Equal<NeedsOf<typeof limited>, { max: number; wait?: number }>>();
expect<Equal<GivesOf<typeof limited>, { size: number }>>();
const silent = retry({
  requires: 'limit',
  onFailure: (history, { limit }: { limit: number }) => (history.length < limit ? 'RETRY' : 'REVERT'),
});
expect<Equal<NeedsOf<typeof silent>, { limit: number }>>();
expect<Equal<GivesOf<typeof silent>, {}>>();
const plain = retry({ requires: 'limit', inject: { more: 1 }, onFailure: (_, { limit, more }) => limit ?? more });
expect<Equal<NeedsOf<typeof plain>, { limit: any }>>();
const bare = retry({ onFailure: () => 'REVERT_ALL' });
expect<Equal<typeof bare, Retry<{}, {}>>>();

// Flows with retries.
const dial = task({
  name: 'dial',
  requires: ['number', 'line'],
  provides: 'talk',
  execute: ({ number, line }: { number: string; line: 1 }) => number.length + line,
});
const call = linear('call', dial);
const dialling = call.with({ retry: forEach(['1', '2'], { provides: 'number' }) });
expect<Equal<typeof dialling, Flow<{ line: 1 }, { number: string; talk: number }>>>();
const searching = call.with({ retry: eachGiven });
expect<Equal<typeof searching, Flow<{ line: 1; directory: Iterable<any> }, { number: any; talk: number }>>>();
const asking = graph('asking', dial).with({ retry: silent });
expect<Equal<typeof asking, GraphFlow<{ line: 1; number: string; limit: number }, { talk: number }>>>();
const nested = unordered('nested', dialling).with({ retry: counted });
expect<Equal<typeof nested, Flow<{ line: 1 }, { attempt: number; number: string; talk: number }>>>();
const laterWins = call.with({ retry: forEach([true], { provides: 'talk' }) });
expect<Equal<typeof laterWins, Flow<{ number: string; line: 1 }, { talk: number }>>>();
for (const same of [call.with({ name: 'same' }), call.with({ retry: thrice }), call.with({ name: 'n', retry: bare })]) {
  expect<Equal<typeof same, typeof call>>();
}
declare const anyFlow: Flow;
const anyRetried = anyFlow.with({ retry: eachHost });
expect<Equal<typeof anyRetried, Flow>>();

// Tasks with retries.
const patient = dial.with({ name: 'patient', retry: times(3, { delay: 100 }) });
expect<Equal<typeof patient, typeof dial>>();
task({ name: 'a', retry: thrice, execute() {} });
task({ name: 'a', retry: forEach([1, 2]), execute() {} });
task(import.meta.url, { name: 'a', retry: bare, mayFail: true, execute() {} });

// Tasks that may fail give what may be missing.
const thumb = task({ name: 'thumb', provides: 'thumb', mayFail: true, execute: () => 1 });
expect<Equal<typeof thumb, Task<{}, { thumb: number | undefined }, (args: {}) => number>>>();
const sure = task({ name: 'sure', provides: 'thumb', mayFail: false, execute: () => 1 });
expect<Equal<typeof sure, Task<{}, { thumb: number }, (args: {}) => number>>>();
const unsure = sure.with({ mayFail: true });
expect<Equal<typeof unsure, typeof thumb>>();
const needsIt = task({ name: 'needs', requires: 'thumb', execute: ({ thumb }: { thumb: number }) => thumb });
const takesIt = task({ name: 'takes', optional: 'thumb', execute: ({ thumb = 0 }: { thumb?: number }) => thumb });
const tolerant = linear('tolerant', thumb, takesIt);
expect<Equal<typeof tolerant, Flow<{}, { thumb: number | undefined }>>>();
graph('tolerant', takesIt, thumb);
linear('sure', sure, needsIt);
const replaced = linear('replaced', thumb, sure, needsIt);
expect<Equal<typeof replaced, Flow<{}, { thumb: number }>>>();

export async function runs(): Promise<void> {
  const { number } = await run(dialling, { line: 1 });
  expect<Equal<typeof number, string>>();
  const { thumb } = await run(tolerant);
  expect<Equal<typeof thumb, number | undefined>>();
}

// What is refused.
// @ts-expect-error the flow needs a string, and not a number
call.with({ retry: times(3, { provides: 'number' }) });
// @ts-expect-error what the retry requires is missing
run(searching, { line: 1 });
// @ts-expect-error a task has no place for what its retry provides
dial.with({ retry: counted });
// @ts-expect-error nor in the first place
task({ name: 'a', retry: counted, execute() {} });
// @ts-expect-error nor for what its retry requires
task({ name: 'a', retry: silent, execute() {} });
// @ts-expect-error the value may be missing
linear('flow', thumb, needsIt);
// @ts-expect-error it may be missing in a graph as well
graph('flow', thumb, needsIt);
// @ts-expect-error a retry is no item
linear('flow', thrice);
// @ts-expect-error nor can it be run
run(thrice);
// @ts-expect-error a task is no retry
call.with({ retry: dial });
// @ts-expect-error a flow keeps its items
call.with({ items: [] });
// @ts-expect-error a decision cannot be waited for
retry({ onFailure: async () => 'RETRY' });
// @ts-expect-error there is no such decision
retry({ onFailure: () => 'AGAIN' });
// @ts-expect-error there is no decision
retry({});
// @ts-expect-error 'limit' is not declared
retry({ onFailure: (_, { limit }: { limit: number }) => (limit ? 'RETRY' : 'REVERT') });
// @ts-expect-error a number is no list
forEach(3);
// @ts-expect-error a delay is a number
times(3, { delay: '1 s' });
// @ts-expect-error the list has no name
parameterizedForEach({ provides: 'number' });

// What a revert of a retry is given beside its arguments.
retry({
  requires: 'limit',
  execute: (history) => history.length,
  onFailure: (_, { limit }: { limit: number }) => (limit > 0 ? 'RETRY' : 'REVERT'),
  revert: (history, { limit, result, flowFailures }) =>
    typeof result === 'number' ? result + limit + history.length : [result.error, ...Object.values(flowFailures)],
});
