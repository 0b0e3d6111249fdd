fn wrong() {
    event_loop::select! {
        n = std::future::ready(1) => n,
    };
}

fn main() {}
