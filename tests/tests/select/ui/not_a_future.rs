async fn wrong() {
    event_loop::select! {
        n = std::future::ready(1) => n,
        n = 7 => n,
    };
}

fn main() {}
