//! Unix sockets: what the kernel's cannot be compared for, and who is told of what.

use std::collections::VecDeque;

use net_sim::drive::Pair;
use net_sim::{
    How, LinkConfig, NetConfig, NetError, Plain, SocketId, UnixAddr, UnixCredentials, UnixKind,
};
use proptest::prelude::*;

fn world() -> Pair {
    Pair::new(LinkConfig::default())
}

fn path(text: &str) -> UnixAddr {
    UnixAddr::path(text).unwrap()
}

fn socket(world: &mut Pair, kind: UnixKind) -> SocketId {
    world.net.unix_socket(world.client, kind).unwrap()
}

fn pair(world: &mut Pair, kind: UnixKind) -> (SocketId, SocketId) {
    world.net.unix_pair(world.client, kind).unwrap()
}

fn told(world: &mut Pair) -> Vec<SocketId> {
    world.changed().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_connection_is_there_at_once_and_takes_bytes_before_it_is_accepted() {
    let mut world = world();
    let listener = socket(&mut world, UnixKind::Stream);
    world.net.unix_bind(listener, &path("/run/svc")).unwrap();
    world.net.listen(world.now, listener, 8).unwrap();
    let client = socket(&mut world, UnixKind::Stream);
    world.net.unix_connect(client, &path("/run/svc")).unwrap();
    assert_eq!(world.write(client, b"early"), Ok(5));
    assert_eq!(told(&mut world)[..2], [listener, client]);
    let (server, peer) = world.net.unix_accept(listener).unwrap();
    assert!(peer.is_unnamed());
    assert_eq!(world.read(server, 9).unwrap(), b"early");
    assert_eq!(world.net.unix_local_addr(server), Ok(path("/run/svc")));
    assert_eq!(world.net.unix_peer_addr(client), Ok(path("/run/svc")));
    assert_eq!(world.net.next_event(), None, "nothing took time");
}

#[test]
fn hosts_share_no_names() {
    let mut world = world();
    let listener = socket(&mut world, UnixKind::Stream);
    for addr in [path("/run/svc"), UnixAddr::abstract_name("svc").unwrap()] {
        let there = world.net.unix_socket(world.server, UnixKind::Datagram);
        world.net.unix_bind(there.unwrap(), &addr).unwrap();
    }
    let missing = world.net.unix_connect(listener, &path("/run/svc"));
    assert_eq!(missing, Err(NetError::NotFound));
    assert_eq!(
        world.net.unlink(world.client, &path("/run/svc")),
        Err(NetError::NotFound)
    );
    assert_eq!(
        world.net.unlink(world.server, &path("/run/../run/svc")),
        Ok(())
    );
}

#[test]
fn a_path_stays_taken_until_it_is_unlinked_and_an_abstract_name_goes_with_its_socket() {
    let mut world = world();
    let abstract_name = UnixAddr::abstract_name("svc").unwrap();
    for addr in [path("/run/svc"), abstract_name.clone()] {
        let first = socket(&mut world, UnixKind::Datagram);
        world.net.unix_bind(first, &addr).unwrap();
        world.close(first).unwrap();
    }
    let second = socket(&mut world, UnixKind::Datagram);
    let taken = world.net.unix_bind(second, &path("/run/svc"));
    assert_eq!(taken, Err(NetError::AddrInUse));
    let refused = world.net.unix_send_to(second, b"?", &path("/run/svc"));
    assert_eq!(refused, Err(NetError::ConnectionRefused));
    world.net.unlink(world.client, &path("/run/svc")).unwrap();
    let missing = world.net.unix_send_to(second, b"?", &path("/run/svc"));
    assert_eq!(missing, Err(NetError::NotFound));
    assert_eq!(world.net.unix_bind(second, &abstract_name), Ok(()));
    let third = socket(&mut world, UnixKind::Datagram);
    assert_eq!(world.net.unix_bind(third, &path("/run/svc")), Ok(()));
}

#[test]
fn names_that_are_made_up_differ() {
    let mut world = world();
    let mut made = vec![];
    for _ in 0..3 {
        let id = socket(&mut world, UnixKind::Datagram);
        world.net.unix_bind(id, &UnixAddr::UNNAMED).unwrap();
        made.push(world.net.unix_local_addr(id).unwrap().to_string());
    }
    assert_eq!(made, ["@00000", "@00001", "@00002"]);
}

#[test]
fn a_host_without_unix_sockets_refuses_them() {
    let mut world = world();
    let (a, _b) = pair(&mut world, UnixKind::Stream);
    world.net.set_unix_sockets(world.client, false);
    let refused = world.net.unix_socket(world.client, UnixKind::Stream);
    assert_eq!(refused, Err(NetError::FamilyNotSupported));
    let refused = world.net.unix_pair(world.client, UnixKind::Datagram);
    assert_eq!(refused, Err(NetError::FamilyNotSupported));
    assert_eq!(world.write(a, b"still"), Ok(5));
    assert!(
        world
            .net
            .unix_socket(world.server, UnixKind::Stream)
            .is_ok()
    );
    world.net.set_unix_sockets(world.client, true);
    assert!(
        world
            .net
            .unix_socket(world.client, UnixKind::Stream)
            .is_ok()
    );
}

#[test]
fn a_peer_is_who_it_was_when_it_connected_or_listened() {
    let mut world = world();
    let who = |pid| UnixCredentials {
        pid,
        uid: 7,
        gid: 8,
    };
    let listener = socket(&mut world, UnixKind::Stream);
    world.net.unix_bind(listener, &path("svc")).unwrap();
    world.net.set_unix_credentials(world.client, who(1));
    world.net.listen(world.now, listener, 8).unwrap();
    world.net.set_unix_credentials(world.client, who(2));
    let client = socket(&mut world, UnixKind::Stream);
    assert_eq!(world.net.unix_peer_credentials(client), Ok(None));
    world.net.unix_connect(client, &path("./svc")).unwrap();
    world.net.set_unix_credentials(world.client, who(3));
    let (server, _) = world.net.unix_accept(listener).unwrap();
    assert_eq!(world.net.unix_peer_credentials(client), Ok(Some(who(1))));
    assert_eq!(world.net.unix_peer_credentials(server), Ok(Some(who(2))));
    let (a, _b) = pair(&mut world, UnixKind::Datagram);
    assert_eq!(world.net.unix_peer_credentials(a), Ok(Some(who(3))));
}

#[test]
fn who_found_no_room_is_told_of_it_and_nobody_else() {
    let mut world = world();
    let (a, b) = pair(&mut world, UnixKind::Stream);
    while world.write(a, &[0; 4_096]).is_ok() {}
    told(&mut world);
    let mut read = 0;
    while told(&mut world).is_empty() {
        read += world.read(b, 4_096).unwrap().len();
    }
    let left = world.net.readable_bytes(b).unwrap();
    assert!(left * 3 <= read, "{left} of {} bytes are left", left + read);
    assert!(world.readiness(a).writable);
    world.read(b, usize::pow(2, 20)).unwrap();
    assert_eq!(told(&mut world), [], "it was told already");
}

#[test]
fn a_connected_sender_is_told_when_a_full_queue_moves() {
    let mut world = world();
    let addr = path("/run/log");
    let log = socket(&mut world, UnixKind::Datagram);
    world.net.unix_bind(log, &addr).unwrap();
    let [first, second, stranger] = [(); 3].map(|()| socket(&mut world, UnixKind::Datagram));
    world.net.unix_connect(first, &addr).unwrap();
    world.net.unix_connect(second, &addr).unwrap();
    let sent = (0..100).take_while(|_| world.net.unix_send(first, b"x").is_ok());
    assert_eq!(sent.count(), 11);
    assert_eq!(world.net.unix_send(second, b"y"), Err(NetError::WouldBlock));
    let unheard = world.net.unix_send_to(stranger, b"z", &addr);
    assert_eq!(unheard, Err(NetError::WouldBlock));
    told(&mut world);
    world.net.unix_receive(log, &mut [0; 9]).unwrap();
    assert_eq!(told(&mut world), [first, second]);
    assert_eq!(world.net.unix_send(second, b"y"), Ok(1));
    assert!(!world.readiness(first).writable);
    told(&mut world);
    world.close(log).unwrap();
    assert_eq!(told(&mut world), [first]);
    assert_eq!(
        world.net.unix_send(first, b"x"),
        Err(NetError::ConnectionRefused)
    );
}

#[test]
fn a_host_that_dies_ends_its_connections_also_those_nobody_accepted() {
    let mut world = world();
    let listener = socket(&mut world, UnixKind::Stream);
    world.net.unix_bind(listener, &path("svc")).unwrap();
    world.net.listen(world.now, listener, 8).unwrap();
    for _ in 0..3 {
        let client = socket(&mut world, UnixKind::Stream);
        world.net.unix_connect(client, &path("svc")).unwrap();
    }
    assert_eq!(world.net.open_sockets(), 7);
    world.net.kill_host(world.now, world.client, &mut Plain);
    assert_eq!(world.net.open_sockets(), 0);
    let again = socket(&mut world, UnixKind::Stream);
    assert_eq!(
        world.net.unix_bind(again, &path("svc")),
        Err(NetError::AddrInUse)
    );
}

#[test]
fn calls_of_other_kinds_of_socket_are_refused() {
    let mut world = world();
    let tcp = world.net.tcp_socket(world.client);
    let (stream, _peer) = pair(&mut world, UnixKind::Stream);
    assert_eq!(
        world.net.unix_bind(tcp, &path("x")),
        Err(NetError::NotSupported)
    );
    assert_eq!(
        world.net.unix_receive(stream, &mut []).map(drop),
        Err(NetError::NotSupported)
    );
    assert_eq!(world.net.local_addr(stream), Err(NetError::NotSupported));
    assert_eq!(
        world.net.finish_connect(stream),
        Err(NetError::NotSupported)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    Shut,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// What is read is what was written, in order, once, and all of it
    /// before the end; memory is bounded, and a blocked writer is told of room.
    #[test]
    fn a_stream_delivers_what_was_written(
        steps in prop::collection::vec(prop_oneof![
            6 => (0..90_000_usize).prop_map(Step::Write),
            6 => (1..90_000_usize).prop_map(Step::Read),
            1 => Just(Step::Shut),
        ], 1..60),
    ) {
        let config = NetConfig::default();
        let room = config.unix_send_buffer;
        let mut world = Pair::with(config, LinkConfig::default(), Plain);
        let (a, b) = world.net.unix_pair(world.client, UnixKind::Stream).unwrap();
        let (mut sent, mut blocked, mut shut) = (VecDeque::<u8>::new(), false, false);
        let mut next = 0_u8;
        for step in steps {
            match step {
                Step::Write(n) => {
                    let bytes: Vec<u8> = (0..n).map(|i| next.wrapping_add(i as u8)).collect();
                    match world.write(a, &bytes) {
                        Ok(n) => {
                            prop_assert!(!shut);
                            blocked |= n < bytes.len();
                            sent.extend(&bytes[..n]);
                            next = next.wrapping_add(n as u8);
                        }
                        Err(NetError::WouldBlock) => blocked = true,
                        Err(error) => prop_assert!(shut && error == NetError::BrokenPipe),
                    }
                }
                Step::Read(n) => match world.read(b, n) {
                    Ok(bytes) if bytes.is_empty() => prop_assert!(shut && sent.is_empty()),
                    Ok(bytes) => prop_assert!(sent.drain(..bytes.len()).eq(bytes)),
                    Err(error) => {
                        prop_assert!(error == NetError::WouldBlock && sent.is_empty() && !shut);
                    }
                },
                Step::Shut => {
                    world.shutdown(a, How::Write).unwrap();
                    shut = true;
                }
            }
            let in_flight = world.net.bytes_in_flight();
            prop_assert!(in_flight == sent.len() && in_flight < room + 40_000);
            let told = told_writable(&mut world, a);
            if sent.is_empty() && blocked {
                prop_assert!(told || shut, "the buffer is empty, and the writer does not know");
            }
            blocked &= !told;
        }
    }
}

fn told_writable(world: &mut Pair, id: SocketId) -> bool {
    let mut changed = world.changed().into_iter();
    changed.any(|(of, readiness)| of == id && readiness.writable)
}
