//! The same calls on UDP sockets of this machine's loopback and of the simulated one have the
//! same outcomes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "it gives the real kernel real time"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use net_sim::{Family, How, Net, NetError, Plain, SocketId};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use virtual_time::Instant;

/// Ports that the scripts speak of; 0 is any. Below those that are given out, and not the same in
/// every process of the machine.
static PORTS: LazyLock<[u16; 3]> = LazyLock::new(|| {
    let first = 20_000 + (std::process::id() % 6_000) as u16 * 2;
    [0, first, first + 1]
});

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 77, 1, 3);

const ADDRESSES: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255)),
    IpAddr::V4(GROUP),
];

#[derive(Clone, Copy, Debug)]
enum Action {
    ReuseAddr(bool),
    OnlyV6(bool),
    Broadcast(bool),
    Bind(SocketAddr),
    Connect(SocketAddr),
    Disconnect,
    SendTo(SocketAddr, usize),
    Send(usize),
    Receive(usize),
    Peek(usize),
    Join(Ipv4Addr),
    Leave(Ipv4Addr),
    Shutdown(How),
    TakeError,
    LocalAddr,
    PeerAddr,
    Close,
}

fn action() -> impl Strategy<Value = Action> {
    let addr = || {
        // Where most of it happens comes first.
        let ip = prop_oneof![4 => 0..5_usize, 1 => 5..ADDRESSES.len()];
        (ip, 0..PORTS.len()).prop_map(|(ip, port)| SocketAddr::new(ADDRESSES[ip], PORTS[port]))
    };
    let size = || {
        prop_oneof![
            8 => 0..40_usize,
            1 => Just(3_000),
            1 => prop_oneof![Just(65_507), Just(65_508), Just(65_527), Just(65_528), Just(70_000)],
        ]
    };
    let interface = || Just(Ipv4Addr::LOCALHOST);
    let how = prop_oneof![Just(How::Read), Just(How::Write), Just(How::Both)];
    prop_oneof![
        1 => any::<bool>().prop_map(Action::ReuseAddr),
        1 => any::<bool>().prop_map(Action::OnlyV6),
        1 => any::<bool>().prop_map(Action::Broadcast),
        4 => addr().prop_map(Action::Bind),
        3 => addr().prop_map(Action::Connect),
        1 => Just(Action::Disconnect),
        8 => (addr(), size()).prop_map(|(to, n)| Action::SendTo(to, n)),
        3 => size().prop_map(Action::Send),
        6 => (0..60_usize).prop_map(Action::Receive),
        1 => (0..60_usize).prop_map(Action::Peek),
        1 => interface().prop_map(Action::Join),
        1 => interface().prop_map(Action::Leave),
        1 => how.prop_map(Action::Shutdown),
        1 => Just(Action::TakeError),
        2 => Just(Action::LocalAddr),
        1 => Just(Action::PeerAddr),
        1 => Just(Action::Close),
    ]
}

/// Which sockets speak IPv6, and what is done with which.
type Script = (Vec<bool>, Vec<(usize, Action)>);

fn script() -> impl Strategy<Value = Script> {
    let families = prop::collection::vec(prop::bool::weighted(0.4), 4);
    (
        families,
        prop::collection::vec((0..4_usize, action()), 1..60),
    )
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Number(usize),
    Errno(i32),
    Address(IpAddr, String),
    /// The first byte, what was copied, what the datagram had, and who sent it.
    Received(Option<u8>, usize, usize, IpAddr, String),
}

type Answer = Result<Raw, i32>;

/// An outcome that still has the ports of its world.
enum Raw {
    Done,
    Number(usize),
    Address(SocketAddr),
    Received(Vec<u8>, usize, SocketAddr),
}

/// One of the two worlds.
trait Sockets {
    fn act(&mut self, socket: usize, action: Action, mark: u8) -> Answer;
}

/// Plays a script; `pause` comes after each action.
fn play(world: &mut impl Sockets, script: &Script, pause: Duration) -> Vec<Outcome> {
    // Who has, or had, which of the ports that are given out.
    let mut owners: BTreeMap<u16, usize> = BTreeMap::new();
    let mut closed = [false; 4];
    let mut outcomes = vec![];
    for (mark, &(socket, action)) in script.1.iter().enumerate() {
        if closed[socket] {
            continue;
        }
        let answer = world.act(socket, action, mark as u8);
        closed[socket] |= matches!(action, Action::Close);
        if !closed[socket]
            && let Ok(Raw::Address(addr)) = world.act(socket, Action::LocalAddr, 0)
        {
            owners.insert(addr.port(), socket);
        }
        let name = |port: u16| match PORTS.contains(&port) {
            true => format!("port {port}"),
            false => format!("port of {:?}", owners.get(&port)),
        };
        outcomes.push(match answer {
            Ok(Raw::Done) => Outcome::Done,
            Ok(Raw::Number(n)) => Outcome::Number(n),
            Ok(Raw::Address(addr)) => Outcome::Address(addr.ip(), name(addr.port())),
            Ok(Raw::Received(bytes, len, from)) => Outcome::Received(
                bytes.first().copied(),
                bytes.len(),
                len,
                from.ip(),
                name(from.port()),
            ),
            Err(errno) => Outcome::Errno(errno),
        });
        thread::sleep(pause);
    }
    outcomes
}

struct Linux {
    sockets: Vec<Option<OwnedFd>>,
}

impl Linux {
    fn new(script: &Script) -> Self {
        let make = |&v6: &bool| {
            let family = if v6 {
                AddressFamily::INET6
            } else {
                AddressFamily::INET
            };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            net::socket_with(family, SocketType::DGRAM, flags, None).expect("a socket")
        };
        Self {
            sockets: script.0.iter().map(make).map(Some).collect(),
        }
    }
}

impl Sockets for Linux {
    fn act(&mut self, socket: usize, action: Action, mark: u8) -> Answer {
        let slot = &mut self.sockets[socket];
        let fd = slot.as_ref().expect("a closed socket is left alone");
        let address = |addr: net::SocketAddrAny| SocketAddr::try_from(addr).expect("an IP address");
        let receive = |n, flags| {
            let mut buf = vec![0; n];
            let (copied, len, from) = net::recvfrom(fd, &mut buf[..], flags | RecvFlags::TRUNC)?;
            let from = address(from.expect("each has a sender"));
            Ok(Raw::Received(buf[..copied].to_vec(), len, from))
        };
        let outcome: Result<Raw, Errno> = match action {
            Action::ReuseAddr(on) => sockopt::set_socket_reuseaddr(fd, on).map(|()| Raw::Done),
            Action::OnlyV6(on) => sockopt::set_ipv6_v6only(fd, on).map(|()| Raw::Done),
            Action::Broadcast(on) => sockopt::set_socket_broadcast(fd, on).map(|()| Raw::Done),
            Action::Bind(addr) => net::bind(fd, &addr).map(|()| Raw::Done),
            Action::Connect(addr) => net::connect(fd, &addr).map(|()| Raw::Done),
            Action::Disconnect => net::connect_unspec(fd).map(|()| Raw::Done),
            Action::SendTo(to, n) => {
                net::sendto(fd, &vec![mark; n], SendFlags::empty(), &to).map(Raw::Number)
            }
            Action::Send(n) => net::send(fd, &vec![mark; n], SendFlags::NOSIGNAL).map(Raw::Number),
            Action::Receive(n) => receive(n, RecvFlags::empty()),
            Action::Peek(n) => receive(n, RecvFlags::PEEK),
            Action::Join(interface) => {
                sockopt::set_ip_add_membership(fd, &GROUP, &interface).map(|()| Raw::Done)
            }
            Action::Leave(interface) => {
                sockopt::set_ip_drop_membership(fd, &GROUP, &interface).map(|()| Raw::Done)
            }
            Action::Shutdown(how) => net::shutdown(
                fd,
                match how {
                    How::Read => net::Shutdown::Read,
                    How::Write => net::Shutdown::Write,
                    How::Both => net::Shutdown::Both,
                },
            )
            .map(|()| Raw::Done),
            Action::TakeError => sockopt::socket_error(fd).map(|error| {
                let errno = error.err().map_or(0, Errno::raw_os_error);
                Raw::Number(errno as usize)
            }),
            Action::LocalAddr => net::getsockname(fd).map(|addr| Raw::Address(address(addr))),
            Action::PeerAddr => net::getpeername(fd)
                .map(|addr| Raw::Address(address(addr.expect("an error says that there is none")))),
            Action::Close => {
                *slot = None;
                Ok(Raw::Done)
            }
        };
        outcome.map_err(Errno::raw_os_error)
    }
}

/// The address from which this machine would send to the group, if it can.
fn machine_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    socket.connect((GROUP, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback()).then_some(ip)
}

struct Simulated {
    net: Net,
    sockets: Vec<SocketId>,
}

impl Simulated {
    fn new(script: &Script) -> Self {
        let mut net = Net::default();
        let addresses: Vec<_> = machine_address().into_iter().collect();
        let host = net.add_host(&addresses).unwrap();
        let family = |&v6: &bool| if v6 { Family::V6 } else { Family::V4 };
        let families = script.0.iter().map(family);
        Self {
            sockets: families
                .map(|family| net.udp_socket(host, family))
                .collect(),
            net,
        }
    }

    fn receive(&mut self, id: SocketId, n: usize, peek: bool) -> Result<Raw, NetError> {
        let mut buf = vec![0; n];
        let received = match peek {
            true => self.net.peek_from(id, &mut buf)?,
            false => self.net.recv_from(Instant::BEGIN, id, &mut buf)?,
        };
        buf.truncate(received.copied);
        Ok(Raw::Received(buf, received.len, received.from))
    }
}

impl Sockets for Simulated {
    fn act(&mut self, socket: usize, action: Action, mark: u8) -> Answer {
        let (id, now) = (self.sockets[socket], Instant::BEGIN);
        let net = &mut self.net;
        let outcome = match action {
            Action::ReuseAddr(on) => net.set_reuse_addr(id, on).map(|()| Raw::Done),
            Action::OnlyV6(on) => net.set_only_v6(id, on).map(|()| Raw::Done),
            Action::Broadcast(on) => net.set_broadcast(id, on).map(|()| Raw::Done),
            Action::Bind(addr) => net.bind(now, id, addr).map(|()| Raw::Done),
            Action::Connect(addr) => net.connect(now, id, addr, &mut Plain).map(|()| Raw::Done),
            Action::Disconnect => net.disconnect(now, id).map(|()| Raw::Done),
            Action::SendTo(to, n) => net
                .send_to(now, id, &vec![mark; n], to, &mut Plain)
                .map(Raw::Number),
            Action::Send(n) => net
                .send(now, id, &vec![mark; n], &mut Plain)
                .map(Raw::Number),
            Action::Receive(n) => self.receive(id, n, false),
            Action::Peek(n) => self.receive(id, n, true),
            Action::Join(interface) => net
                .join_multicast_v4(id, GROUP, interface)
                .map(|()| Raw::Done),
            Action::Leave(interface) => net
                .leave_multicast_v4(id, GROUP, interface)
                .map(|()| Raw::Done),
            Action::Shutdown(how) => net.shutdown(now, id, how, &mut Plain).map(|()| Raw::Done),
            Action::TakeError => net
                .socket_error(id)
                .map(|error| Raw::Number(error.map_or(0, |error| error.errno() as usize))),
            Action::LocalAddr => net.local_addr(id).map(Raw::Address),
            Action::PeerAddr => net.peer_addr(id).map(Raw::Address),
            Action::Close => net.close(now, id, &mut Plain).map(|()| Raw::Done),
        };
        outcome.map_err(NetError::errno)
    }
}

/// What has no counterpart is left out.
fn is_comparable(script: &Script, socket: usize, action: Action) -> bool {
    let v6 = script.0[socket];
    match action {
        // An IPv6 socket takes plain IPv4 addresses on Linux, with errors of their own.
        Action::Bind(addr) | Action::Connect(addr) | Action::SendTo(addr, _) => {
            !(v6 && addr.is_ipv4())
        }
        // An IPv4 socket has no such option.
        Action::OnlyV6(_) => v6,
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        // The kernel has corners that nobody looks for: those are for who searches, not for a suite.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn datagram_calls_have_the_outcomes_they_have_on_linux(script in script()) {
        let (families, actions) = script;
        let mut script = (families, vec![]);
        for (socket, action) in actions {
            if is_comparable(&script, socket, action) {
                script.1.push((socket, action));
            }
        }
        let ours = play(&mut Simulated::new(&script), &script, Duration::ZERO);
        // A busy machine may deliver late, even on loopback.
        let mut theirs = vec![];
        for pause in [0, 2, 30].map(Duration::from_millis) {
            theirs = play(&mut Linux::new(&script), &script, pause);
            if ours == theirs {
                return Ok(());
            }
        }
        let first = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(0);
        let played: Vec<_> = script.1.iter().collect();
        prop_assert!(
            false,
            "outcome {first} of {played:?}:\n  ours {:?}\n  Linux's {:?}\n  all of ours {ours:?}",
            ours.get(first), theirs.get(first)
        );
    }
}
