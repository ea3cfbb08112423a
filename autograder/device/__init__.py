"""Where a submission computes: the CPU, an accelerator, or a simulated one."""
