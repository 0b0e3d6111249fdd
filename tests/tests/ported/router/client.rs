//! A client of the router: requests one after the other on a connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::rt::net::TcpStream;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; what became of it the sender is told.
        drop(super::rt::spawn(async {
            let _ = connection.await;
        }));
        Ok(Self { sender })
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<(StatusCode, String), BoxError> {
        self.ask(Method::GET, path, String::new()).await
    }

    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, String), BoxError> {
        self.sender.ready().await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "svc")
            .body(Full::new(body.into()))?;
        let reply = self.sender.send_request(request).await?;
        let status = reply.status();
        let body = reply.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    }
}
