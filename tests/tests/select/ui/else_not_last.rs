async fn wrong() {
    event_loop::select! {
        else => 0,
        n = std::future::ready(1) => n,
    };
}

fn main() {}
