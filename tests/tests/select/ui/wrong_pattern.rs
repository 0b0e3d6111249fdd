async fn wrong() {
    event_loop::select! {
        Some(n) = std::future::ready(1) => n,
        else => 0,
    };
}

fn main() {}
