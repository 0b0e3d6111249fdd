async fn wrong(limit: u32) {
    event_loop::select! {
        _ = std::future::ready(1), if limit => {},
    };
}

fn main() {}
