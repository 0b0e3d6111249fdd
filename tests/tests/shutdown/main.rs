//! The graceful shutdown beyond its clauses: real processes that get real signals, runners with a
//! policy, random services, and the report as text.

mod children;
mod first_service;
mod hosts;
mod report;
mod runner;
mod services;
