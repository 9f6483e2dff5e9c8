"""Training: config, data, schedule, one step, the loop, its state, the run folder."""
