async fn nothing() {
    event_loop::select! {};
}

fn main() {}
