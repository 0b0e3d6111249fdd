async fn wrong() {
    event_loop::select! {
        n = std::future::ready(1) => n,
        n = std::future::ready(2) => n.to_string(),
    };
}

fn main() {}
