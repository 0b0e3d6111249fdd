//! The handlers: items by their id, read through a cache and written through it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use tokio::sync::RwLock;
use tokio::time::Instant;

use super::http::{Call, Reply, Router, Routes, reply};
use super::pool::Pool;

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Items {
    pool: Pool,
    cache: Arc<RwLock<Cache>>,
    cached_for: Duration,
}

#[derive(Default)]
struct Cache {
    items: HashMap<String, Cached>,
    /// How many writes there were: what was read before one may be out of date after it.
    writes: u64,
}

struct Cached {
    value: String,
    until: Instant,
}

impl Items {
    pub(crate) fn new(pool: Pool, cached_for: Duration) -> Self {
        let cache = Arc::default();
        Self {
            pool,
            cache,
            cached_for,
        }
    }

    pub(crate) fn routes(self) -> Routes<Self> {
        Router::new(self)
            .route(Method::GET, "/items/{id}", read)
            .route(Method::PUT, "/items/{id}", write)
            .route(Method::GET, "/status", status)
            .into_service()
    }

    async fn load(&self, id: &str) -> io::Result<Option<String>> {
        let writes = {
            let cache = self.cache.read().await;
            match cache.items.get(id) {
                Some(cached) if cached.until > Instant::now() => {
                    return Ok(Some(cached.value.clone()));
                }
                _ => cache.writes,
            }
        };
        let answer = self.pool.get().await?.ask(&format!("GET {id}")).await?;
        let value = match answer.split_once(' ') {
            Some(("VALUE", value)) => value.to_owned(),
            _ if answer == "NONE" => return Ok(None),
            _ => return Err(io::Error::other(answer)),
        };
        let mut cache = self.cache.write().await;
        if cache.writes == writes {
            let until = Instant::now() + self.cached_for;
            let cached = Cached {
                value: value.clone(),
                until,
            };
            cache.items.insert(id.to_owned(), cached);
        }
        Ok(Some(value))
    }

    async fn store(&self, id: &str, value: &str) -> io::Result<()> {
        let stored = self.ask_to_store(id, value).await;
        // Also after a failure: the database may have it all the same.
        let mut cache = self.cache.write().await;
        cache.writes += 1;
        cache.items.remove(id);
        stored
    }

    async fn ask_to_store(&self, id: &str, value: &str) -> io::Result<()> {
        let mut connection = self.pool.get().await?;
        match connection.ask(&format!("SET {id} {value}")).await?.as_str() {
            "OK" => Ok(()),
            other => Err(io::Error::other(other)),
        }
    }
}

async fn read(items: Items, call: Call) -> Reply {
    match items.load(call.params.get("id")).await {
        Ok(Some(value)) => reply(StatusCode::OK, value),
        Ok(None) => reply(StatusCode::NOT_FOUND, "no such item"),
        Err(error) => failed(&error),
    }
}

async fn write(items: Items, call: Call) -> Reply {
    let value = match std::str::from_utf8(&call.body) {
        Ok(value) if !value.contains(['\r', '\n']) => value,
        _ => return reply(StatusCode::BAD_REQUEST, "an item is a line of text"),
    };
    match items.store(call.params.get("id"), value).await {
        Ok(()) => reply(StatusCode::NO_CONTENT, Bytes::new()),
        Err(error) => failed(&error),
    }
}

async fn status(items: Items, _call: Call) -> Reply {
    let status = items.pool.status();
    let text = format!(
        "open {} idle {} available {}",
        status.open, status.idle, status.available
    );
    reply(StatusCode::OK, text)
}

fn failed(error: &io::Error) -> Reply {
    reply(StatusCode::BAD_GATEWAY, error.to_string())
}
