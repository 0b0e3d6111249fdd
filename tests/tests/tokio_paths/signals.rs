//! The programs that listen to signals.

macro_rules! signal_programs {
    ($lib:ident) => {
        mod signals {
            use std::future::poll_fn;
            use std::task::Poll;

            use $lib::signal::ctrl_c;
            use $lib::signal::unix::Signal;
            use $lib::signal::unix::SignalKind;
            use $lib::signal::unix::signal;

            pub(super) async fn all() -> std::io::Result<()> {
                let mut resized: Signal = signal(SignalKind::window_change())?;
                let came = poll_fn(|cx| Poll::Ready(resized.poll_recv(cx))).await;
                assert!(came.is_pending());
                let next = $lib::time::timeout(std::time::Duration::from_millis(1), resized.recv());
                assert!(next.await.is_err());
                let kinds = [
                    SignalKind::alarm(),
                    SignalKind::child(),
                    SignalKind::hangup(),
                    SignalKind::interrupt(),
                    SignalKind::io(),
                    SignalKind::pipe(),
                    SignalKind::quit(),
                    SignalKind::terminate(),
                    SignalKind::user_defined1(),
                    SignalKind::user_defined2(),
                ];
                for kind in kinds {
                    assert_eq!(SignalKind::from_raw(kind.as_raw_value()), kind);
                    assert_eq!(SignalKind::from(i32::from(kind)), kind);
                }
                assert!(signal(SignalKind::from_raw(-1)).is_err());
                // KILL
                assert!(signal(SignalKind::from(9)).is_err());
                // Never polled, it listens to nothing.
                let interrupted = ctrl_c();
                let _: &dyn Future<Output = std::io::Result<()>> = &interrupted;
                Ok(())
            }
        }
    };
}
