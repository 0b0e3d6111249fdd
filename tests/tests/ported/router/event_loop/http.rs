//! Routes with parameters, and what is wrapped around them: a limit on time, and one on how many
//! requests are served at once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event_loop::sync::Semaphore;
use event_loop::time::timeout;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::ALLOW;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};

/// The longest body that is read.
const MAX_BODY: usize = 64 * 1024;

pub(crate) type Reply = Response<Full<Bytes>>;
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Handler<S> = Box<dyn Fn(S, Call) -> BoxFuture<Reply> + Send + Sync>;

/// What a handler is called with.
pub(crate) struct Call {
    pub(crate) params: Params,
    pub(crate) body: Bytes,
}

/// The parts of the path that the pattern names.
#[derive(Default)]
pub(crate) struct Params(HashMap<&'static str, String>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Finds the handler of a request: the first route that matches its path and method.
pub(crate) struct Router<S> {
    state: S,
    routes: Vec<Route<S>>,
}

struct Route<S> {
    method: Method,
    pattern: Vec<&'static str>,
    handler: Handler<S>,
}

impl<S> Router<S> {
    pub(crate) fn new(state: S) -> Self {
        let routes = Vec::new();
        Self { state, routes }
    }

    /// Adds a route, such as `/items/{id}`.
    pub(crate) fn route<H, F>(mut self, method: Method, pattern: &'static str, handler: H) -> Self
    where
        H: Fn(S, Call) -> F + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        self.routes.push(Route {
            method,
            pattern: pattern.split('/').collect(),
            handler: Box::new(move |state, call| Box::pin(handler(state, call))),
        });
        self
    }

    pub(crate) fn into_service(self) -> Routes<S> {
        Routes(Arc::new(self))
    }

    fn find(&self, method: &Method, path: &str) -> Result<(&Route<S>, Params), Box<Reply>> {
        let mut allowed = Vec::new();
        for route in &self.routes {
            let Some(params) = route.matches(path) else {
                continue;
            };
            if route.method == *method {
                return Ok((route, params));
            }
            allowed.push(route.method.as_str());
        }
        if allowed.is_empty() {
            return Err(Box::new(reply(StatusCode::NOT_FOUND, "no such path")));
        }
        let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, "no such method here");
        if let Ok(allowed) = allowed.join(", ").parse() {
            refusal.headers_mut().insert(ALLOW, allowed);
        }
        Err(Box::new(refusal))
    }
}

impl<S> Route<S> {
    fn matches(&self, path: &str) -> Option<Params> {
        let mut params = Params::default();
        let mut parts = path.split('/');
        for pattern in &self.pattern {
            let part = parts.next()?;
            match pattern.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) if !part.is_empty() => {
                    params.0.insert(name, part.to_owned());
                }
                None if part == *pattern => {}
                _ => return None,
            }
        }
        parts.next().is_none().then_some(params)
    }
}

/// A router that is complete.
pub(crate) struct Routes<S>(Arc<Router<S>>);

impl<S> Clone for Routes<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Clone + Send + Sync + 'static> Service<Request<Incoming>> for Routes<S> {
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<Result<Reply, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let router = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let (route, params) = match router.find(&head.method, head.uri.path()) {
                Ok(found) => found,
                Err(refusal) => return Ok(*refusal),
            };
            let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
                return Ok(reply(
                    StatusCode::BAD_REQUEST,
                    "the body is cut or too long",
                ));
            };
            let body = body.to_bytes();
            Ok((route.handler)(router.state.clone(), Call { params, body }).await)
        })
    }
}

/// Answers in the service's place once it has taken too long.
#[derive(Clone)]
pub(crate) struct Timeout<S> {
    pub(crate) service: S,
    pub(crate) limit: Duration,
}

impl<S> Service<Request<Incoming>> for Timeout<S>
where
    S: Service<Request<Incoming>, Response = Reply, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<Result<Reply, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answering = timeout(self.limit, self.service.call(request));
        Box::pin(async move {
            match answering.await {
                Ok(answer) => answer,
                Err(_elapsed) => Ok(reply(StatusCode::GATEWAY_TIMEOUT, "it took too long")),
            }
        })
    }
}

/// Lets so many requests be served at once, of all connections together; others wait.
#[derive(Clone)]
pub(crate) struct ConcurrencyLimit<S> {
    pub(crate) service: S,
    pub(crate) permits: Arc<Semaphore>,
}

impl<S> Service<Request<Incoming>> for ConcurrencyLimit<S>
where
    S: Service<Request<Incoming>, Response = Reply, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<Result<Reply, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (service, permits) = (self.service.clone(), self.permits.clone());
        Box::pin(async move {
            match permits.acquire().await {
                Ok(_permit) => service.call(request).await,
                Err(_closed) => Ok(reply(StatusCode::SERVICE_UNAVAILABLE, "shutting down")),
            }
        })
    }
}

pub(crate) fn reply(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    reply
}
