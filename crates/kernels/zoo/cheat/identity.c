// rows: 23. Returns what it was given.
// task: affine
// reasons: wrong
SCRATCH(0);
KERNEL { memcpy(out[0], in[VARIANT], N * 4); }
