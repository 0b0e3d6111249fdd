//! The crash note of a thread: a line written, and a command run, when a signal ends the process.
