/**
 * The value of a task that was skipped: `undefined`, encoded. The scheduler, which knows nothing of values, gives it to whoever
 * needs it; a test holds it to the codec.
 */
export const SKIPPED_VALUE: readonly number[] = Object.freeze([0xc0])
