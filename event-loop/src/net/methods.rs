//! The calls that a stream shares with its halves: each is tokio's own, or a world's.

/// The addresses of both ends, of a type whose `repr` is a `Repr`.
macro_rules! addresses {
    ($type:ty) => {
        impl $type {
            /// This end's address.
            ///
            /// # Errors
            /// Those of `getsockname(2)`.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.local_addr(),
                    Repr::World(socket) => socket.local_addr(),
                }
            }

            /// The other end's address.
            ///
            /// # Errors
            /// Those of `getpeername(2)`.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.peer_addr(),
                    Repr::World(socket) => socket.peer_addr(),
                }
            }
        }
    };
}

/// Readiness, for a type whose `repr` is a `Repr`.
macro_rules! readiness {
    ($type:ty) => {
        impl $type {
            /// Waits until it is ready for something of `interest`, and says for what.
            ///
            /// As with tokio this is a hint: a call that follows may say `WouldBlock`, and only
            /// then is what was remembered of its readiness forgotten. Cancellation loses nothing.
            ///
            /// # Errors
            /// That the loop is closed.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.ready(interest).await.map_err(in_our_words),
                    Repr::World(socket) => socket.ready(interest).await,
                }
            }
        }
    };
}

/// What can be read without waiting, for a type whose `repr` is a `Repr`.
macro_rules! reading {
    ($type:ty) => {
        impl $type {
            /// Waits until it is readable, for [`try_read`](Self::try_read): `ready` with
            /// [`Interest::READABLE`]. Any number of tasks may wait, and cancellation loses nothing.
            ///
            /// # Errors
            /// That the loop is closed.
            pub async fn readable(&self) -> io::Result<()> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.readable().await.map_err(in_our_words),
                    Repr::World(socket) => socket.readable().await,
                }
            }

            /// Reads what has come; 0 is the end of the stream.
            ///
            /// # Errors
            /// `WouldBlock` if nothing has, else those of `recv(2)`.
            pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.try_read(into),
                    Repr::World(socket) => socket.try_read(into),
                }
            }

            /// [`try_read`](Self::try_read) into several buffers, filled in turn.
            ///
            /// # Errors
            /// Those of `try_read`.
            pub fn try_read_vectored(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.try_read_vectored(into),
                    Repr::World(socket) => socket.try_read_vectored(into),
                }
            }

            /// [`try_read`](Self::try_read) into a buffer that grows or goes on by what was read.
            ///
            /// # Errors
            /// Those of `try_read`.
            pub fn try_read_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.try_read_buf(into),
                    Repr::World(socket) => socket.try_read_buf(into),
                }
            }
        }

        impl AsyncRead for $type {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match &mut self.repr {
                    Repr::Tokio(socket) => {
                        Pin::new(socket).poll_read(cx, into).map_err(in_our_words)
                    }
                    Repr::World(socket) => socket
                        .poll_read(cx, into.initialize_unfilled())
                        .map_ok(|read| into.advance(read)),
                }
            }
        }

        impl futures_io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let mut into = ReadBuf::new(into);
                AsyncRead::poll_read(self, cx, &mut into).map_ok(|()| into.filled().len())
            }
        }
    };
}

/// What can be written without waiting, for a type whose `repr` is a `Repr`, and whose
/// `poll_shut_down` ends its direction.
macro_rules! writing {
    ($type:ty) => {
        impl $type {
            /// Waits until it is writable, for [`try_write`](Self::try_write): `ready` with
            /// [`Interest::WRITABLE`]. Any number of tasks may wait, and cancellation loses nothing.
            ///
            /// # Errors
            /// That the loop is closed.
            pub async fn writable(&self) -> io::Result<()> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.writable().await.map_err(in_our_words),
                    Repr::World(socket) => socket.writable().await,
                }
            }

            /// Writes what there is room for, and says how much that was.
            ///
            /// # Errors
            /// `WouldBlock` if there is none, else those of `send(2)`.
            pub fn try_write(&self, from: &[u8]) -> io::Result<usize> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.try_write(from),
                    Repr::World(socket) => socket.try_write(from),
                }
            }

            /// [`try_write`](Self::try_write) from several buffers, as if they were one.
            ///
            /// # Errors
            /// Those of `try_write`.
            pub fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
                match &self.repr {
                    Repr::Tokio(socket) => socket.try_write_vectored(from),
                    Repr::World(socket) => socket.try_write_vectored(from),
                }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                from: &[u8],
            ) -> Poll<io::Result<usize>> {
                match &mut self.repr {
                    Repr::Tokio(socket) => {
                        Pin::new(socket).poll_write(cx, from).map_err(in_our_words)
                    }
                    Repr::World(socket) => socket.poll_write(cx, from),
                }
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                from: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match &mut self.repr {
                    Repr::Tokio(socket) => Pin::new(socket)
                        .poll_write_vectored(cx, from)
                        .map_err(in_our_words),
                    Repr::World(socket) => socket.poll_write_vectored(cx, from),
                }
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().poll_shut_down(cx)
            }
        }

        impl futures_io::AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                from: &[u8],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write(self, cx, from)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                from: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write_vectored(self, cx, from)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_shutdown(self, cx)
            }
        }
    };
}
