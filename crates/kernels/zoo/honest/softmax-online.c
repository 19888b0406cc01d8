// Maximum and sum in one pass, with powers of two.
// task: softmax
SCRATCH(0);
KERNEL {
    for (int r = 0; r < ROWS; r++) {
        const float *x = (const float *)in[0] + r * COLS;
        float *y = (float *)out[0] + r * COLS;
        double most = -INFINITY, sum = 0;
        for (int c = 0; c < COLS; c++) {
            if (x[c] > most) {
                sum *= exp(most - x[c]);
                most = x[c];
            }
            sum += exp(x[c] - most);
        }
        for (int c = 0; c < COLS; c++) y[c] = (float)(exp2((x[c] - most) * 1.4426950408889634) / sum);
    }
}
