//! DNS by simple-dns: a resolver that asks again when nobody answers, and over TCP what is too long
//! for a datagram.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream, UdpSocket};
use event_loop::time::{Instant, timeout_at};
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scene::{Hosts, foul_weather, plays_everywhere, plays_the_same_twice};

/// What RFC 1035 allows a datagram, section 2.3.4.
const LONGEST_DATAGRAM: usize = 512;

/// How long a resolver waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(1);

const NAMES: [&str; 5] = [
    "one.test",
    "two.test",
    "many.test",
    "nowhere.test",
    "one.test",
];

#[test]
fn names_are_looked_up_by_datagrams_and_streams() {
    plays_everywhere(by_fair_weather, &answers());
}

/// In production a loopback loses nothing.
#[test]
fn a_resolver_gets_its_answers_however_bad_the_link() {
    let attempts = (0..10).map(|seed| {
        let run = plays_the_same_twice(seed, by_foul_weather);
        let looked_up = run.value.expect("the run ends");
        assert_eq!(looked_up.answers, answers(), "seed {seed}");
        looked_up.attempts
    });
    let attempts: Vec<_> = attempts.collect();
    assert_eq!(attempts[0], NAMES.len(), "the plain run loses nothing");
    assert!(attempts.iter().any(|n| *n > NAMES.len()), "{attempts:?}");
}

fn answers() -> Vec<String> {
    let many: Vec<_> = (1..=100).map(|n| format!("10.3.0.{n}")).collect();
    vec![
        "one.test: 10.1.0.1".into(),
        "two.test: 10.2.0.1 10.2.0.2".into(),
        format!("many.test: {}", many.join(" ")),
        "nowhere.test: NameError".into(),
        "one.test: 10.1.0.1".into(),
    ]
}

/// What came of all questions.
#[derive(Debug, PartialEq)]
struct LookedUp {
    answers: Vec<String>,
    /// How often one was asked.
    attempts: usize,
}

async fn by_fair_weather(hosts: Hosts) -> Vec<String> {
    look_up(&hosts).await.answers
}

async fn by_foul_weather(hosts: Hosts) -> LookedUp {
    foul_weather();
    look_up(&hosts).await
}

async fn look_up(hosts: &Hosts) -> LookedUp {
    let datagrams = UdpSocket::bind(hosts.server_at(0)).await.unwrap();
    let streams = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let resolver = Resolver {
        datagrams: datagrams.local_addr().unwrap(),
        streams: streams.local_addr().unwrap(),
    };
    let servers = [
        hosts.serve(serve_datagrams(datagrams)),
        hosts.serve(serve_streams(streams)),
    ];
    let asking = hosts.ask(async move {
        let mut answers = vec![];
        let mut attempts = 0;
        for name in NAMES {
            let (answer, tried) = resolver.look_up(name).await.unwrap();
            answers.push(format!("{name}: {answer}"));
            attempts += tried;
        }
        LookedUp { answers, attempts }
    });
    let looked_up = asking.await.unwrap();
    for server in servers {
        server.abort();
        assert!(server.await.unwrap_err().is_aborted());
    }
    looked_up
}

async fn serve_datagrams(socket: UdpSocket) {
    let mut question = [0; LONGEST_DATAGRAM];
    loop {
        let (n, from) = socket.recv_from(&mut question).await.unwrap();
        let answer = answer(&question[..n], LONGEST_DATAGRAM);
        socket.send_to(&answer, from).await.unwrap();
    }
}

async fn serve_streams(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let question = receive(&mut stream).await.unwrap();
        let answer = answer(&question, usize::from(u16::MAX));
        send(&mut stream, &answer).await.unwrap();
    }
}

/// What a server knows, and that it is cut off if it is longer than `most`.
fn answer(question: &[u8], most: usize) -> Vec<u8> {
    let mut packet = Packet::parse(question).unwrap().into_reply();
    let name = packet.questions[0].qname.clone();
    let (net, hosts) = match name.to_string().as_str() {
        "one.test" => (1, 1),
        "two.test" => (2, 2),
        "many.test" => (3, 100),
        _ => (0, 0),
    };
    if hosts == 0 {
        *packet.rcode_mut() = RCODE::NameError;
    }
    for host in 1..=hosts {
        let address = Ipv4Addr::new(10, net, 0, host).into();
        let data = RData::A(A { address });
        let record = ResourceRecord::new(name.clone(), CLASS::IN, 60, data);
        packet.answers.push(record);
    }
    let whole = packet.build_bytes_vec_compressed().unwrap();
    if whole.len() <= most {
        return whole;
    }
    packet.answers.clear();
    packet.set_flags(PacketFlag::TRUNCATION);
    packet.build_bytes_vec_compressed().unwrap()
}

/// A stub resolver.
struct Resolver {
    datagrams: SocketAddr,
    streams: SocketAddr,
}

impl Resolver {
    /// The answer, and how often it asked.
    async fn look_up(&self, name: &str) -> io::Result<(String, usize)> {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect(self.datagrams).await?;
        let mut buffer = [0; LONGEST_DATAGRAM];
        for attempt in 1.. {
            // Not to be guessed; so each run has others, and the same seed the same.
            let id = rand::random();
            let question = question(name, id);
            socket.send(&question).await?;
            let deadline = Instant::now() + PATIENCE;
            while let Ok(received) = timeout_at(deadline, socket.recv(&mut buffer)).await {
                let packet = Packet::parse(&buffer[..received?]).map_err(io::Error::other)?;
                // Answers to earlier questions come late, and twice.
                if packet.id() != id {
                    continue;
                }
                if packet.has_flags(PacketFlag::TRUNCATION) {
                    return Ok((self.by_stream(&question).await?, attempt));
                }
                return Ok((shown(&packet), attempt));
            }
        }
        unreachable!("it asks until there is an answer")
    }

    async fn by_stream(&self, question: &[u8]) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.streams).await?;
        send(&mut stream, question).await?;
        let answer = receive(&mut stream).await?;
        Ok(shown(&Packet::parse(&answer).map_err(io::Error::other)?))
    }
}

fn question(name: &str, id: u16) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).unwrap();
    let (kind, class) = (QTYPE::TYPE(TYPE::A), CLASS::IN.into());
    packet
        .questions
        .push(Question::new(name, kind, class, false));
    packet.build_bytes_vec().unwrap()
}

fn shown(answer: &Packet<'_>) -> String {
    if answer.rcode() != RCODE::NoError {
        return format!("{:?}", answer.rcode());
    }
    let addresses = answer.answers.iter().map(|record| match &record.rdata {
        RData::A(a) => Ipv4Addr::from(a.address).to_string(),
        other => format!("{other:?}"),
    });
    addresses.collect::<Vec<_>>().join(" ")
}

/// A message in a stream has its length before it: RFC 1035, section 4.2.2.
async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_u16(length).await?;
    stream.write_all(message).await
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
