"""The system around: data, training, executors, store, search loop, command line."""
