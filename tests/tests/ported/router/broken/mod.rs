//! The port, but for its pool, which keeps count of its permits by hand.

#[path = "../event_loop/http.rs"]
pub(crate) mod http;
#[path = "../event_loop/items.rs"]
pub(crate) mod items;
pub(crate) mod pool;
#[path = "../event_loop/serve.rs"]
pub(crate) mod serve;
