//! hyper on the loop (feature `hyper`): its executor, its timer, and streams that it takes as they
//! are.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use event_loop::hyper::{LoopExecutor, LoopTimer};
//! use event_loop::net::{TcpListener, TcpStream};
//! use event_loop::{production, LoopConfig};
//! use hyper::{Request, Response, body::Incoming, service::service_fn};
//!
//! let ev = production::current_thread(LoopConfig::default()).unwrap();
//! let status = ev.run_borrowed(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = event_loop::spawn(async move {
//!         let (stream, _peer) = listener.accept().await?;
//!         let answer = async |_: Request<Incoming>| {
//!             Ok::<_, Infallible>(Response::new(String::from("hello")))
//!         };
//!         hyper::server::conn::http2::Builder::new(LoopExecutor)
//!             .timer(LoopTimer::new())
//!             .serve_connection(stream, service_fn(answer))
//!             .await
//!             .map_err(std::io::Error::other)
//!     });
//!     let stream = TcpStream::connect(address).await?;
//!     let handshake = hyper::client::conn::http2::handshake(LoopExecutor, stream).await;
//!     let (mut sender, connection) = handshake.map_err(std::io::Error::other)?;
//!     event_loop::spawn(connection).detach();
//!     let request = Request::get("http://service/").body(String::new()).unwrap();
//!     let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
//!     let status = response.status();
//!     // Without these the connection ends.
//!     drop((sender, response));
//!     server.await.unwrap()?;
//!     std::io::Result::Ok(status)
//! }).unwrap().unwrap();
//! assert_eq!(status, 200);
//! # ev.close().unwrap();
//! ```

mod io;
mod timer;

use std::future::Future;

/// What makes a hyper stream of whatever else is tokio's `AsyncRead` and `AsyncWrite`, such as one
/// of TLS; it needs no runtime. The loop's own streams need it not.
pub use hyper_util::rt::TokioIo;
pub use timer::LoopTimer;

/// Runs hyper's background tasks, those of HTTP/2, on the loop that is current there.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopExecutor;

impl<F> hyper::rt::Executor<F> for LoopExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    /// # Panics
    /// If this thread has no current loop.
    fn execute(&self, future: F) {
        crate::spawn(future).detach();
    }
}
