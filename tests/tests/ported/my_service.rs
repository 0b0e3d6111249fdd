//! The smallest service there is: whoever connects is kept until the end.

use event_loop::net::TcpListener;
use event_loop::sync::watch;

pub(crate) async fn serve(listener: TcpListener, mut stopping: watch::Receiver<bool>) {
    let mut connected = Vec::new();
    loop {
        event_loop::select! {
            accepted = listener.accept() => connected.extend(accepted.ok()),
            _ = stopping.changed() => return,
        }
    }
}
