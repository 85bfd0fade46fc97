/** fast-check, for which `TEST_SEED` settles what is drawn: the same values in each run. Without it they differ from run to run. */
import fc from 'fast-check';

const { TEST_SEED } = process.env;
if (TEST_SEED) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(TEST_SEED) });

export default fc;
