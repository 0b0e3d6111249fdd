async fn forgotten() {
    event_loop::select! {
        () = std::future::ready(()),
    };
}

fn main() {}
