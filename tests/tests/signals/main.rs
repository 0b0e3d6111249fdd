//! Signals: scenes of real processes and of hosts that must tell the same.

mod children;
mod told;
mod worlds;
