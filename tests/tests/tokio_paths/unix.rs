//! The programs that use Unix sockets.

macro_rules! unix_programs {
    ($lib:ident) => {
        mod unix {
            use std::future::poll_fn;
            use std::sync::atomic::{AtomicU32, Ordering};

            use $lib::io::AsyncReadExt;
            use $lib::io::AsyncWriteExt;
            use $lib::io::Interest;
            use $lib::io::ReadBuf;
            use $lib::net::UnixDatagram;
            use $lib::net::UnixListener;
            use $lib::net::UnixStream;

            pub(super) async fn all() -> std::io::Result<()> {
                streams().await?;
                halves().await?;
                datagrams().await
            }

            /// An abstract name that nobody else has.
            fn name() -> String {
                static MADE: AtomicU32 = AtomicU32::new(0);
                let n = MADE.fetch_add(1, Ordering::Relaxed);
                format!("\0{}-{}-{n}", stringify!($lib), std::process::id())
            }

            async fn streams() -> std::io::Result<()> {
                let name = name();
                let listener = $lib::net::UnixListener::bind(&name)?;
                let addr: $lib::net::unix::SocketAddr = listener.local_addr()?;
                assert_eq!(addr.as_abstract_name(), Some(&name.as_bytes()[1..]));
                assert!(UnixListener::bind_addr(&addr).is_err());
                assert!(listener.take_error()?.is_none());
                let mut client: $lib::net::UnixStream = UnixStream::connect(&name).await?;
                let (server, peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
                assert!(peer.is_unnamed() && peer.as_pathname().is_none());
                let cred: $lib::net::unix::UCred = client.peer_cred()?;
                let there = server.peer_cred()?;
                assert_eq!((cred.uid(), cred.gid()), (there.uid(), there.gid()));
                assert_eq!(cred.pid(), there.pid());

                client.write_all(b"hello").await?;
                server.readable().await?;
                let mut buf = [0; 16];
                assert_eq!(server.try_read(&mut buf)?, 5);
                let nothing = server.try_read(&mut buf).unwrap_err();
                assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
                server.writable().await?;
                assert_eq!(server.try_write(b"an")?, 2);
                let parts = [b"sw", b"er"].map(|part| std::io::IoSlice::new(part));
                assert_eq!(server.try_write_vectored(&parts)?, 4);
                assert!(client.ready(Interest::READABLE).await?.is_readable());
                poll_fn(|cx| client.poll_read_ready(cx)).await?;
                poll_fn(|cx| client.poll_write_ready(cx)).await?;
                let mut grown = Vec::with_capacity(4);
                assert_eq!(client.try_read_buf(&mut grown)?, 4);
                let mut rest = [0; 4];
                let mut parts = [std::io::IoSliceMut::new(&mut rest)];
                assert_eq!(client.try_read_vectored(&mut parts)?, 2);
                assert_eq!((&grown[..], &rest[..2]), (&b"answ"[..], &b"er"[..]));
                assert!(client.take_error()?.is_none());

                let second = UnixStream::connect_addr(&addr).await?;
                let (third, _) = listener.accept().await?;
                assert!(third.local_addr()?.as_abstract_name().is_some());
                assert!(second.peer_addr()?.as_abstract_name().is_some());
                drop(server);
                assert_eq!(client.read(&mut buf).await?, 0);
                let pipe = client.write(b"late").await.unwrap_err();
                assert_eq!(pipe.kind(), std::io::ErrorKind::BrokenPipe);
                Ok(())
            }

            async fn halves() -> std::io::Result<()> {
                let (one, mut other) = UnixStream::pair()?;
                {
                    let (mut reader, mut writer): (
                        $lib::net::unix::ReadHalf<'_>,
                        $lib::net::unix::WriteHalf<'_>,
                    ) = other.split();
                    writer.write_all(b"x").await?;
                    assert!(reader.local_addr()?.is_unnamed() && writer.peer_addr()?.is_unnamed());
                    let mut buf = [0];
                    let wait = $lib::time::Duration::from_millis(5);
                    let early = $lib::time::timeout(wait, reader.read(&mut buf)).await;
                    assert!(early.is_err());
                }
                let (mut reader, mut writer): (
                    $lib::net::unix::OwnedReadHalf,
                    $lib::net::unix::OwnedWriteHalf,
                ) = one.into_split();
                assert_eq!(reader.read_u8().await?, b'x');
                writer.write_all(b"y").await?;
                writer.shutdown().await?;
                let mut text = String::new();
                other.read_to_string(&mut text).await?;
                assert_eq!(text, "y");
                let whole: Result<_, $lib::net::unix::ReuniteError> = reader.reunite(writer);
                assert!(whole.is_ok());
                let (_, stranger) = UnixStream::pair()?.0.into_split();
                let (reader, _writer) = other.into_split();
                assert!(reader.reunite(stranger).is_err());
                Ok(())
            }

            async fn datagrams() -> std::io::Result<()> {
                let place = || std::env::temp_dir().join(name().trim_start_matches('\0'));
                let (here, there) = (place(), place());
                let near: $lib::net::UnixDatagram = UnixDatagram::bind(&here)?;
                let far = UnixDatagram::bind(&there)?;
                assert_eq!(near.send_to(b"one", &there).await?, 3);
                let mut buf = [0; 16];
                let (n, from) = far.recv_from(&mut buf).await?;
                assert_eq!(&buf[..n], b"one");
                assert_eq!(from.as_pathname(), Some(here.as_path()));
                near.connect(&there)?;
                assert_eq!(near.peer_addr()?.as_pathname(), Some(there.as_path()));
                assert_eq!(near.local_addr()?.as_pathname(), Some(here.as_path()));
                assert_eq!(near.send(b"two").await?, 3);
                assert_eq!(far.recv(&mut buf).await?, 3);
                near.writable().await?;
                assert_eq!(near.try_send(b"three")?, 5);
                assert_eq!(near.try_send_to(b"four", &there)?, 4);
                assert_eq!(poll_fn(|cx| near.poll_send(cx, b"five")).await?, 4);
                assert_eq!(
                    poll_fn(|cx| near.poll_send_to(cx, b"six", &there)).await?,
                    3
                );
                poll_fn(|cx| near.poll_send_ready(cx)).await?;
                poll_fn(|cx| far.poll_recv_ready(cx)).await?;
                far.readable().await?;
                assert_eq!(far.try_recv(&mut buf)?, 5);
                assert_eq!(far.try_recv_from(&mut buf)?.0, 4);
                let mut into = ReadBuf::new(&mut buf);
                poll_fn(|cx| far.poll_recv(cx, &mut into)).await?;
                assert_eq!(into.filled(), b"five");
                into.clear();
                poll_fn(|cx| far.poll_recv_from(cx, &mut into)).await?;
                assert_eq!(into.filled(), b"six");
                let nothing = far.try_recv(&mut buf).unwrap_err();
                assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
                let (one, other) = UnixDatagram::pair()?;
                one.send(b"seven").await?;
                one.send(b"eight").await?;
                assert!(other.ready(Interest::READABLE).await?.is_readable());
                let mut grown = Vec::with_capacity(16);
                assert_eq!(other.recv_buf(&mut grown).await?, 5);
                assert_eq!(other.recv_buf_from(&mut grown).await?.0, 5);
                assert_eq!(grown, b"seveneight");
                let alone = UnixDatagram::unbound()?;
                assert!(alone.send(b"?").await.is_err() && alone.take_error()?.is_none());
                one.shutdown(std::net::Shutdown::Both)?;
                assert!(one.send(b"?").await.is_err());
                // In a world they are no files.
                for path in [here, there] {
                    let _ = std::fs::remove_file(path);
                }
                Ok(())
            }
        }
    };
}
