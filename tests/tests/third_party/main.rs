//! Published crates as they are, on the sockets of the loop: what they come to in worlds, under
//! every seed, is what they come to in production, and a seed's run is the same twice.

mod dns;
mod flow_control;
mod scene;
mod tls;
mod websocket;
