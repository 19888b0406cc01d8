// task: softmax
SCRATCH(0);
KERNEL { honest_softmax(in[0], out[0], ROWS, COLS); }
