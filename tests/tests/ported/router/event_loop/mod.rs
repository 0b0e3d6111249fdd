//! An HTTP service over a database: items are read through a cache and written through.

pub(crate) mod http;
pub(crate) mod items;
pub(crate) mod pool;
pub(crate) mod serve;
