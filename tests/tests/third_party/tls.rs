//! hyper over TLS: rustls and its tokio adapter, with ring, and certificates that rcgen makes in
//! the scene itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::spawn;
use event_loop::time::sleep;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, Error, ProtocolVersion, RootCertStore, ServerConfig, crypto,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::scene::{Hosts, plays_by_foul_weather, plays_everywhere, plays_the_same_twice};

const NAME: &str = "server.test";
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// A body longer than a TLS record.
const BODY: usize = 40_000;

#[test]
fn hyper_answers_over_tls_with_http1() {
    plays_everywhere(http1, &answers("HTTP/1.1"));
    plays_by_foul_weather(http1, &answers("HTTP/1.1"));
}

#[test]
fn hyper_answers_over_tls_with_http2() {
    plays_everywhere(http2, &answers("HTTP/2.0"));
    plays_by_foul_weather(http2, &answers("HTTP/2.0"));
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    plays_everywhere(expired, &Greeting::Expired);
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    plays_everywhere(of_another_name, &Greeting::Refused);
}

/// The wall clock that rustls reads is the world's, which begins with the year 2026.
#[test]
fn a_certificate_expires_as_the_worlds_time_goes_by() {
    let run = plays_the_same_twice(1, expires_tomorrow);
    assert_eq!(run.value, Some([Greeting::Welcome, Greeting::Expired]));
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq)]
enum Greeting {
    Welcome,
    Expired,
    Refused,
}

fn answers(version: &str) -> Vec<String> {
    let lengths = [0, 1, 100, BODY];
    let answer = |length| format!("200 OK, {version}, {length} bytes, as they were sent");
    lengths.map(answer).to_vec()
}

async fn http1(hosts: Hosts) -> Vec<String> {
    echoes(hosts, HTTP1).await
}

async fn http2(hosts: Hosts) -> Vec<String> {
    echoes(hosts, HTTP2).await
}

async fn echoes(hosts: Hosts, protocol: &'static [u8]) -> Vec<String> {
    let identity = Identity::valid(2000, 2100, NAME);
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = identity.acceptor(protocol);
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
        if protocol == HTTP2 {
            let builder = server::conn::http2::Builder::new(OnTheLoop);
            builder.serve_connection(stream, service_fn(echo)).await
        } else {
            let builder = server::conn::http1::Builder::new();
            builder.serve_connection(stream, service_fn(echo)).await
        }
    });
    let connector = identity.connector(protocol);
    let client = hosts.ask(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = NAME.try_into().unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(session.alpn_protocol(), Some(protocol));
        let stream = TokioIo::new(stream);
        let bodies = [0, 1, 100, BODY].map(|length| Bytes::from(vec![b'x'; length]));
        let mut answers = vec![];
        if protocol == HTTP2 {
            let connected = client::conn::http2::handshake(OnTheLoop, stream).await;
            let (mut asker, connection) = connected.unwrap();
            let connection = spawn(connection);
            for body in bodies {
                let answer = asker.send_request(post(body.clone())).await.unwrap();
                answers.push(described(answer, &body).await);
            }
            drop(asker);
            connection.await.unwrap().unwrap();
        } else {
            let (mut asker, connection) = client::conn::http1::handshake(stream).await.unwrap();
            let connection = spawn(connection);
            for body in bodies {
                let answer = asker.send_request(post(body.clone())).await.unwrap();
                answers.push(described(answer, &body).await);
                asker.ready().await.unwrap();
            }
            drop(asker);
            connection.await.unwrap().unwrap();
        }
        answers
    });
    let answers = client.await.unwrap();
    server.await.unwrap().unwrap();
    answers
}

async fn echo(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

fn post(body: Bytes) -> Request<Full<Bytes>> {
    let request = Request::post(format!("https://{NAME}/")).header("host", NAME);
    request.body(Full::new(body)).expect("a request")
}

async fn described(answer: Response<Incoming>, sent: &Bytes) -> String {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let how = if body == sent {
        "as they were sent"
    } else {
        "not as sent"
    };
    format!(
        "{}, {:?}, {} bytes, {how}",
        head.status,
        head.version,
        body.len()
    )
}

async fn expired(hosts: Hosts) -> Greeting {
    let identity = Identity::valid(2000, 2020, NAME);
    greet(&hosts, &identity).await
}

async fn of_another_name(hosts: Hosts) -> Greeting {
    let identity = Identity::valid(2000, 2100, "another.test");
    greet(&hosts, &identity).await
}

async fn expires_tomorrow(hosts: Hosts) -> [Greeting; 2] {
    let mut params = params(NAME);
    params.not_before = date_time_ymd(2025, 12, 31);
    params.not_after = date_time_ymd(2026, 1, 2);
    let identity = Identity::of(params);
    let today = greet(&hosts, &identity).await;
    sleep(Duration::from_hours(36)).await;
    [today, greet(&hosts, &identity).await]
}

/// One handshake, as the client sees it.
async fn greet(hosts: &Hosts, identity: &Identity) -> Greeting {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let acceptor = identity.acceptor(HTTP1);
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.map(drop)
    });
    let connector = identity.connector(HTTP1);
    let client = hosts.ask(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = NAME.try_into().unwrap();
        connector.connect(name, stream).await.map(drop)
    });
    let greeting = match client.await.unwrap() {
        Ok(()) => return Greeting::Welcome,
        Err(error) => error.downcast::<Error>().unwrap(),
    };
    // The client says why it goes.
    server.await.unwrap().unwrap_err();
    match greeting {
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Greeting::Expired,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Greeting::Refused,
        other => panic!("{other}"),
    }
}

/// A certificate that signs itself, and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    fn valid(from: i32, to: i32, name: &str) -> Self {
        let mut params = params(name);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        Self::of(params)
    }

    fn of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, key }
    }

    fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key);
        let mut config = config.unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config).into()
    }

    fn connector(&self, protocol: &[u8]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config =
            ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config).into()
    }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

#[derive(Clone, Copy)]
struct OnTheLoop;

impl<F> hyper::rt::Executor<F> for OnTheLoop
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        spawn(future).detach();
    }
}
