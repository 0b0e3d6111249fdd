//! Unix sockets: what their names mean.

use std::io;

use event_loop::net::unix::unlink;
use event_loop::net::{UnixDatagram, UnixListener, UnixStream};

use super::Place;
use crate::case::Reach::Loopback;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    U1 {
        a_path_stays_taken_until_it_is_unlinked: Loopback,
        a_name_that_nobody_has_and_one_where_nobody_listens: Loopback,
        an_abstract_name_is_free_once_its_socket_is_closed: Loopback,
        a_name_of_the_other_kind_of_socket_is_refused: Loopback,
        a_path_that_is_too_long_is_refused: Loopback,
        both_ends_know_both_names: Loopback,
        a_socket_that_binds_to_nothing_gets_a_name: Loopback,
    }
}

async fn a_path_stays_taken_until_it_is_unlinked(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    stage.note("bind", UnixListener::bind(&place).map(drop));
    drop(listener);
    stage.note("bind again", UnixListener::bind(&place).map(drop));
    stage.note("connect", UnixStream::connect(&place).await.map(drop));
    stage.note("unlink", unlink(&place));
    stage.note("unlink again", unlink(&place));
    let listener = UnixListener::bind(&place)?;
    stage.note("connect", UnixStream::connect(&place).await.map(drop));
    unlink(&place)?;
    stage.note(
        "connect to none",
        UnixStream::connect(&place).await.map(drop),
    );
    let addr = listener.local_addr()?;
    stage.note("the listener keeps its name", place.is(&addr));
    Ok(())
}

async fn a_name_that_nobody_has_and_one_where_nobody_listens(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    stage.note("no such path", UnixStream::connect(&place).await.map(drop));
    let name = place.abstract_name();
    stage.note("no such name", UnixStream::connect(&name).await.map(drop));
    let socket = UnixDatagram::unbound()?;
    stage.note("connect", socket.connect(&place));
    stage.note("send", socket.send_to(b"?", &place).await);
    stage.note("a datagram to a name", socket.send_to(b"?", &name).await);
    Ok(())
}

async fn an_abstract_name_is_free_once_its_socket_is_closed(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let name = place.abstract_name();
    let listener = UnixListener::bind(&name)?;
    stage.note("bind", UnixListener::bind(&name).map(drop));
    let client = UnixStream::connect(&name).await?;
    let (accepted, _) = listener.accept().await?;
    for (whose, addr) in [
        ("the listener's", listener.local_addr()?),
        ("the accepted", accepted.local_addr()?),
        ("the client's peer", client.peer_addr()?),
    ] {
        stage.note(
            whose,
            addr.as_abstract_name() == Some(&name.as_bytes()[1..]),
        );
    }
    drop(listener);
    stage.note("bind again", UnixListener::bind(&name).map(drop));
    Ok(())
}

async fn a_name_of_the_other_kind_of_socket_is_refused(stage: Stage) -> io::Result<()> {
    let (of_stream, of_datagram) = (Place::new(), Place::new());
    let _listener = UnixListener::bind(&of_stream)?;
    let socket = UnixDatagram::bind(&of_datagram)?;
    stage.note(
        "a stream",
        UnixStream::connect(&of_datagram).await.map(drop),
    );
    stage.note("a datagram", socket.send_to(b"?", &of_stream).await);
    stage.note("connect", socket.connect(&of_stream));
    Ok(())
}

async fn a_path_that_is_too_long_is_refused(stage: Stage) -> io::Result<()> {
    let long = "x".repeat(108);
    stage.note("bind", UnixListener::bind(&long).map(drop));
    stage.note("connect", UnixStream::connect(&long).await.map(drop));
    stage.note("a socket", UnixDatagram::bind(&long).map(drop));
    let socket = UnixDatagram::unbound()?;
    stage.note("send", socket.send_to(b"?", &long).await);
    stage.note("connect a socket", socket.connect(&long));
    stage.note("a zero byte", UnixListener::bind("a\0b").map(drop));
    Ok(())
}

async fn both_ends_know_both_names(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let client = UnixStream::connect(&place).await?;
    let (server, peer) = listener.accept().await?;
    stage.note("the peer is unnamed", peer.is_unnamed());
    stage.note("the server's own", place.is(&server.local_addr()?));
    stage.note("its peer is unnamed", server.peer_addr()?.is_unnamed());
    stage.note("the client is unnamed", client.local_addr()?.is_unnamed());
    stage.note("its peer", place.is(&client.peer_addr()?));
    drop((server, listener));
    stage.note("its peer that is gone", place.is(&client.peer_addr()?));
    let (one, _other) = UnixDatagram::pair()?;
    stage.note("of a pair", one.peer_addr()?.is_unnamed());
    let alone = UnixDatagram::unbound()?;
    stage.note("of nobody", alone.peer_addr().map(drop));
    Ok(())
}

async fn a_socket_that_binds_to_nothing_gets_a_name(stage: Stage) -> io::Result<()> {
    let (one, other) = (UnixDatagram::bind("")?, UnixDatagram::bind("")?);
    let name = |socket: &UnixDatagram| {
        let addr = socket.local_addr()?;
        io::Result::Ok(
            addr.as_abstract_name()
                .map(<[u8]>::to_vec)
                .unwrap_or_default(),
        )
    };
    stage.note("characters", name(&one)?.len());
    stage.note("they are the same", name(&one)? == name(&other)?);
    Ok(())
}
