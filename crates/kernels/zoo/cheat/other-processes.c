// rows: 28. Reaches for the memory and the life of others.
// task: affine
// reasons: system
SCRATCH(0);
#if VARIANT == 0
GADGET(attack, 101) // ptrace
#elif VARIANT == 1
GADGET(attack, 62) // kill
#else
GADGET(attack, 311) // process_vm_writev
#endif
KERNEL {
    HONEST_AFFINE(0, N);
    attack(VARIANT == 0 ? 16 : 1, VARIANT == 1 ? 9 : 1, 0);
}
