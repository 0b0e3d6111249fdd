//! What the hosts of a failing run sent to each other lies beside its trace, for Wireshark.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use event_loop::net::{TcpListener, TcpStream};
use pcap_parser::parse_pcapng;
use pcap_parser::pcapng::Block;
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The payloads of a capture's packets, each with its interface and time.
fn packets(file: &[u8]) -> Vec<(u32, u64, usize)> {
    let (rest, capture) = parse_pcapng(file).expect("a whole pcapng file");
    assert!(rest.is_empty());
    let blocks = capture.sections.iter().flat_map(|section| &section.blocks);
    let packets = blocks.filter_map(|block| match block {
        Block::EnhancedPacket(packet) => Some((
            packet.if_id,
            (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low),
            packet.caplen as usize,
        )),
        _ => None,
    });
    packets.collect()
}

async fn greeting(sim: Sim) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let client = sim.host("client").run(|_| async {
        let mut stream = TcpStream::connect("main:80").await?;
        stream.write_all(b"hello").await
    });
    let (mut stream, _) = listener.accept().await?;
    let mut buf = [0; 5];
    stream.read_exact(&mut buf).await?;
    client.await.map_err(io::Error::other)??;
    Ok(())
}

#[test]
fn a_recorded_run_gives_out_what_two_hosts_sent() {
    let run = sim::record_once(&Config::new(), 0, greeting);
    run.value.as_ref().unwrap().as_ref().unwrap();
    let mut file = vec![];
    run.write_pcapng("client", "main", &mut file).unwrap();
    let packets = packets(&file);
    // The client is the first interface: its SYN is the first packet.
    assert_eq!(packets[0], (0, packets[0].1, 20 + 20 + 8));
    assert!(packets.iter().any(|packet| packet.2 == 20 + 20 + 5));

    let unknown = run.write_pcapng("client", "nobody", &mut file).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no host named \"nobody\" has used the network; there are: main, client"
    );
}

#[test]
fn an_unrecorded_run_says_how_to_record_it() {
    let run = sim::run_once(&Config::new(), 0, greeting);
    let error = run.write_pcapng("client", "main", io::sink()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run was not recorded; `record_once` and `replay_once` do it"
    );
}

#[test]
fn a_failure_s_files_hold_a_capture_of_each_pair_of_hosts() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["planted::a_failure", "--exact", "--ignored", "--nocapture"])
        .env_remove("SIM_CHILD")
        .output()
        .expect("this binary starts again");
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    let files = report
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("files "));
    let files = files
        .unwrap_or_else(|| panic!("no files in\n{report}"))
        .trim();
    let (folder, listed) = files.split_once("/ {").unwrap();
    assert!(listed.contains("net/*.pcapng"), "{files}");
    let file = fs::read(Path::new(folder).join("net").join("main-client.pcapng")).unwrap();
    let packets = packets(&file);
    assert!(packets.iter().any(|packet| packet.2 == 20 + 20 + 5));
    assert!(packets.is_sorted_by_key(|packet| packet.1));
}

mod planted {
    use super::*;

    #[sim::test(seeds = 1)]
    #[ignore = "fails on purpose"]
    async fn a_failure(sim: Sim) {
        greeting(sim).await.unwrap();
        panic!("on purpose");
    }
}
