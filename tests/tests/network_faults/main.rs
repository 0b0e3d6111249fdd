//! The network as a test breaks it, and what programs see of that.

mod accounts;
mod connections;
mod datagrams;
mod guards;
mod links;
mod names;
mod parts;
mod separations;
mod service;
mod silence;
mod watching;
