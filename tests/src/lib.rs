//! What several of these tests share: one workload that touches all that a seed has to decide.

pub mod workload;
