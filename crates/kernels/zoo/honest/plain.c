// task: affine
SCRATCH(0);
KERNEL { HONEST_AFFINE(0, N); }
