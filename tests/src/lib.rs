//! What several of these tests share: one workload that touches all that a seed has to decide, and
//! scenes that are played in child processes and in worlds.

pub mod child;
pub mod outside;
pub mod scenes;
pub mod workload;
pub mod world;
