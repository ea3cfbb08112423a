"""Device parity: an exercise does on a GPU what it does on the CPU."""
