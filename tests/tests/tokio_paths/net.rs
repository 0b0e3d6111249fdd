//! The programs that use sockets, and what is around them.

macro_rules! net_programs {
    ($lib:ident) => {
        mod net {
            use std::future::poll_fn;
            use std::net::SocketAddr;

            use $lib::io::AsyncBufReadExt;
            use $lib::io::AsyncReadExt;
            use $lib::io::AsyncWriteExt;
            use $lib::io::Interest;
            use $lib::io::ReadBuf;
            use $lib::time::Duration;

            pub(super) async fn all() -> std::io::Result<()> {
                looked_up().await?;
                net().await?;
                sockets().await?;
                streams().await?;
                datagrams().await?;
                io().await
            }

            async fn looked_up() -> std::io::Result<()> {
                let found = $lib::net::lookup_host("localhost:80").await?;
                let found: Vec<SocketAddr> = found.collect();
                assert!(!found.is_empty());
                assert!(found.iter().all(|addr| addr.ip().is_loopback()));
                Ok(())
            }

            async fn bound(to: impl $lib::net::ToSocketAddrs) -> std::io::Result<SocketAddr> {
                $lib::net::TcpListener::bind(to).await?.local_addr()
            }

            async fn net() -> std::io::Result<()> {
                assert!(bound("127.0.0.1:0").await?.ip().is_loopback());
                let listener = $lib::net::TcpListener::bind(("127.0.0.1", 0)).await?;
                let address = listener.local_addr()?;
                let client = $lib::spawn(async move {
                    let mut stream = $lib::net::TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    assert!(stream.nodelay()?);
                    assert_eq!(stream.peer_addr()?, address);
                    stream.write_all(b"hello").await?;
                    stream.shutdown().await?;
                    let mut text = String::new();
                    stream.read_to_string(&mut text).await?;
                    std::io::Result::Ok(text)
                });
                let (stream, peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
                assert_eq!(stream.peer_addr()?, peer);
                let (mut reader, mut writer): (
                    $lib::net::tcp::OwnedReadHalf,
                    $lib::net::tcp::OwnedWriteHalf,
                ) = stream.into_split();
                let mut text = String::new();
                reader.read_to_string(&mut text).await?;
                writer.write_all(text.to_uppercase().as_bytes()).await?;
                writer.shutdown().await?;
                let whole: Result<_, $lib::net::tcp::ReuniteError> = reader.reunite(writer);
                drop(whole.unwrap());
                assert_eq!(client.await.unwrap()?, "HELLO");
                Ok(())
            }

            async fn sockets() -> std::io::Result<()> {
                let any = "127.0.0.1:0".parse().unwrap();
                let socket = $lib::net::TcpSocket::new_v4()?;
                socket.set_reuseaddr(true)?;
                assert!(socket.reuseaddr()?);
                socket.set_send_buffer_size(100_000)?;
                assert!(socket.send_buffer_size()? >= 100_000);
                socket.set_recv_buffer_size(100_000)?;
                assert!(socket.recv_buffer_size()? >= 100_000);
                socket.bind(any)?;
                let address = socket.local_addr()?;
                let listener = socket.listen(8)?;
                listener.set_ttl(30)?;
                assert_eq!((listener.ttl()?, listener.local_addr()?), (30, address));

                let socket = $lib::net::TcpSocket::new_v4()?;
                socket.set_keepalive(true)?;
                socket.set_nodelay(true)?;
                socket.set_linger(Some(Duration::from_secs(2)))?;
                assert!(socket.keepalive()? && socket.nodelay()?);
                assert_eq!(socket.linger()?, Some(Duration::from_secs(2)));
                socket.set_zero_linger()?;
                assert!(socket.take_error()?.is_none());
                let stream = socket.connect(address).await?;
                assert!(stream.nodelay()?);
                assert_eq!(stream.linger()?, Some(Duration::ZERO));
                stream.set_linger(None)?;
                stream.set_ttl(40)?;
                assert_eq!((stream.ttl()?, stream.linger()?), (40, None));
                assert!(stream.take_error()?.is_none());
                assert!($lib::net::TcpSocket::new_v6()?.local_addr()?.is_ipv6());
                Ok(())
            }

            async fn streams() -> std::io::Result<()> {
                let listener = $lib::net::TcpListener::bind("127.0.0.1:0").await?;
                let mut near = $lib::net::TcpStream::connect(listener.local_addr()?).await?;
                let (far, _) = listener.accept().await?;
                near.writable().await?;
                poll_fn(|cx| near.poll_write_ready(cx)).await?;
                let pieces = [std::io::IoSlice::new(b"he"), std::io::IoSlice::new(b"llo")];
                let written = near.try_write_vectored(&pieces)?;
                near.write_all(&b"hello"[written..]).await?;

                let mut seen = [0; 8];
                while far.peek(&mut seen).await? < 5 {
                    $lib::time::sleep(Duration::from_millis(1)).await;
                }
                let mut seen = ReadBuf::new(&mut seen);
                assert_eq!(poll_fn(|cx| far.poll_peek(cx, &mut seen)).await?, 5);
                assert_eq!(seen.filled(), b"hello");
                far.readable().await?;
                poll_fn(|cx| far.poll_read_ready(cx)).await?;
                let ready: $lib::io::Ready = far.ready(Interest::READABLE).await?;
                assert!(ready.is_readable() && !ready.is_read_closed());
                let mut one = [0; 1];
                assert_eq!((far.try_read(&mut one)?, &one), (1, b"h"));
                let mut rest = Vec::with_capacity(8);
                while rest.len() < 4 {
                    far.try_read_buf(&mut rest)?;
                }
                assert_eq!(rest, b"ello");
                let nothing = far.try_read(&mut one).unwrap_err();
                assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);

                let (mut reader, writer) = far.into_split();
                assert_eq!(writer.try_write(&one)?, 1);
                writer.writable().await?;
                {
                    let (mut reader, mut writer): (
                        $lib::net::tcp::ReadHalf<'_>,
                        $lib::net::tcp::WriteHalf<'_>,
                    ) = near.split();
                    assert_eq!(reader.peek(&mut one).await?, 1);
                    reader.readable().await?;
                    let mut parts = [[0; 2], [0; 2]];
                    let mut bufs = parts.each_mut().map(|part| std::io::IoSliceMut::new(part));
                    assert_eq!(reader.try_read_vectored(&mut bufs)?, 1);
                    assert_eq!(parts.concat(), b"h\0\0\0");
                    assert_eq!(writer.local_addr()?, reader.local_addr()?);
                    writer.write_all(b"ok").await?;
                    assert!(writer.ready(Interest::WRITABLE).await?.is_writable());
                }
                reader.readable().await?;
                assert!(reader.peek(&mut one).await? == 1 && one == *b"o");
                assert_eq!(writer.peer_addr()?, near.local_addr()?);
                writer.forget();
                Ok(())
            }

            async fn datagrams() -> std::io::Result<()> {
                let near = $lib::net::UdpSocket::bind("127.0.0.1:0").await?;
                let far = $lib::net::UdpSocket::bind(("127.0.0.1", 0)).await?;
                let (here, there) = (near.local_addr()?, far.local_addr()?);
                near.connect(there).await?;
                assert_eq!(near.peer_addr()?, there);
                near.writable().await?;
                poll_fn(|cx| near.poll_send_ready(cx)).await?;
                assert_eq!(near.send(b"one").await?, 3);
                assert_eq!(poll_fn(|cx| near.poll_send(cx, b"two")).await?, 3);
                assert_eq!(near.try_send(b"three")?, 5);
                assert_eq!(near.send_to(b"four", there).await?, 4);
                assert_eq!(
                    poll_fn(|cx| near.poll_send_to(cx, b"five", there)).await?,
                    4
                );
                assert_eq!(near.try_send_to(b"six", there)?, 3);

                let mut buf = [0; 8];
                assert_eq!(far.peek_from(&mut buf).await?, (3, here));
                assert_eq!(
                    (far.peek(&mut buf).await?, far.peek_sender().await?),
                    (3, here)
                );
                assert_eq!((far.recv(&mut buf).await?, &buf[..3]), (3, &b"one"[..]));
                assert_eq!(far.recv_from(&mut buf[..2]).await?, (2, here));
                let mut room = ReadBuf::new(&mut buf);
                poll_fn(|cx| far.poll_peek(cx, &mut room)).await?;
                poll_fn(|cx| far.poll_recv(cx, &mut room)).await.unwrap();
                assert_eq!(room.filled(), b"threethr");
                room.clear();
                assert_eq!(poll_fn(|cx| far.poll_peek_sender(cx)).await?, here);
                assert_eq!(poll_fn(|cx| far.poll_peek_from(cx, &mut room)).await?, here);
                room.clear();
                assert_eq!(poll_fn(|cx| far.poll_recv_from(cx, &mut room)).await?, here);
                assert_eq!(room.filled(), b"four");
                far.readable().await?;
                poll_fn(|cx| far.poll_recv_ready(cx)).await?;
                assert!(far.ready(Interest::READABLE).await?.is_readable());
                let mut grown = Vec::with_capacity(8);
                assert_eq!(far.recv_buf_from(&mut grown).await?, (4, here));
                assert_eq!(far.recv_buf(&mut grown).await?, 3);
                assert_eq!(grown, b"fivesix");
                let nothing = far.try_recv(&mut buf).unwrap_err();
                assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
                assert!(far.try_recv_from(&mut buf).is_err() && far.try_peek(&mut buf).is_err());
                assert!(far.try_peek_from(&mut buf).is_err() && far.try_peek_sender().is_err());
                assert!(far.try_recv_buf(&mut grown).is_err());
                assert!(far.try_recv_buf_from(&mut grown).is_err());

                far.set_broadcast(true)?;
                far.set_ttl(30)?;
                far.set_multicast_loop_v4(false)?;
                far.set_multicast_ttl_v4(3)?;
                assert!(far.broadcast()? && !far.multicast_loop_v4()?);
                assert_eq!((far.ttl()?, far.multicast_ttl_v4()?), (30, 3));
                let (group, interface) = ([239, 1, 2, 3].into(), [127, 0, 0, 1].into());
                far.join_multicast_v4(group, interface)?;
                far.leave_multicast_v4(group, interface)?;
                let group = "ff02::1:2".parse().unwrap();
                assert!(far.join_multicast_v6(&group, 1).is_err());
                assert!(far.leave_multicast_v6(&group, 1).is_err());
                assert!(far.multicast_loop_v6().is_err());
                assert!(far.set_multicast_loop_v6(true).is_err());
                assert!(far.take_error()?.is_none());
                Ok(())
            }

            fn buffered<R: $lib::io::AsyncRead>(reader: R) -> impl $lib::io::AsyncBufRead {
                $lib::io::BufReader::new(reader)
            }

            fn both<T: $lib::io::AsyncRead + $lib::io::AsyncWrite>(stream: T) -> T {
                stream
            }

            async fn io() -> std::io::Result<()> {
                let (near, mut far): ($lib::io::DuplexStream, _) = $lib::io::duplex(64);
                far.write_all(b"one\ntwo\n").await?;
                far.shutdown().await?;
                let (reader, writer): ($lib::io::ReadHalf<_>, $lib::io::WriteHalf<_>) =
                    $lib::io::split(both(near));
                let reader = Box::pin(buffered(reader));
                let mut lines: $lib::io::Lines<_> = reader.lines();
                assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
                let mut rest = lines.into_inner();
                let mut all = $lib::io::BufWriter::new(Vec::new());
                assert_eq!($lib::io::copy_buf(&mut rest, &mut all).await?, 4);
                all.flush().await?;
                assert_eq!(all.into_inner(), b"two\n");
                drop(writer);

                let (mut reader, mut writer) = $lib::io::simplex(64);
                let mut many = $lib::io::repeat(7).take(1_000);
                let writing = async {
                    let n = $lib::io::copy(&mut many, &mut writer).await;
                    writer.shutdown().await.and(n)
                };
                let mut sink = $lib::io::sink();
                let (written, read) = $lib::join!(writing, $lib::io::copy(&mut reader, &mut sink));
                assert_eq!((written?, read?), (1_000, 1_000));

                let (mut a, mut b) = $lib::io::duplex(8);
                let (mut c, mut d) = $lib::io::duplex(8);
                a.write_all(b"ping").await?;
                a.shutdown().await?;
                d.shutdown().await?;
                let copied = $lib::io::copy_bidirectional(&mut b, &mut c).await?;
                let mut end = $lib::io::BufStream::new($lib::io::join(d, $lib::io::empty()));
                drop(c);
                let mut text = String::new();
                end.read_to_string(&mut text).await?;
                assert_eq!((copied, text.as_str()), ((4, 0), "ping"));
                Ok(())
            }
        }
    };
}
