//! What befalls datagrams on links that are not perfect.

use std::time::Duration;

use event_loop::net::UdpSocket;
use event_loop::time::timeout;
use sim::net::{Corruption, Guard, default_link, hold, link_to, partition};
use sim::{Config, Sim};

const SECOND: Duration = Duration::from_secs(1);

/// The numbers that arrive of three sent, in their order.
async fn arrived(from: &UdpSocket, to: &UdpSocket) -> Vec<u8> {
    for number in 1..=3 {
        from.send_to(&[number], "main:53").await.unwrap();
    }
    let (mut numbers, mut buf) = (Vec::new(), [0; 8]);
    while let Ok(Ok((_, _))) = timeout(SECOND, to.recv_from(&mut buf)).await {
        numbers.push(buf[0]);
    }
    numbers
}

async fn under(fault: impl FnOnce() -> Guard, from: &UdpSocket, to: &UdpSocket) -> Vec<u8> {
    let guard = fault();
    let numbers = arrived(from, to).await;
    drop(guard);
    numbers
}

#[test]
fn datagrams_are_lost_doubled_and_broken_and_whole_again_after_it() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        let to = UdpSocket::bind("10.0.0.1:53").await.unwrap();
        let client = sim.host("client");
        let asking = client.spawn(async { UdpSocket::bind("10.0.0.2:0").await.unwrap() });
        let from = asking.await.unwrap();

        assert_eq!(arrived(&from, &to).await, [1, 2, 3]);
        let all_lost = || default_link().loss(1.0).until_dropped();
        assert_eq!(under(all_lost, &from, &to).await, [0; 0]);
        let cut = || partition("client", "main");
        assert_eq!(under(cut, &from, &to).await, [0; 0]);
        let doubled = || link_to("client", "main").duplicate(1.0).until_dropped();
        let mut numbers = under(doubled, &from, &to).await;
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 1, 2, 2, 3, 3]);
        let noticed = || {
            let link = link_to("client", "main");
            link.corrupt(1.0, Corruption::Dropped).until_dropped()
        };
        assert_eq!(under(noticed, &from, &to).await, [0; 0]);
        let broken = || {
            let link = link_to("client", "main");
            link.corrupt(1.0, Corruption::Delivered).until_dropped()
        };
        let numbers = under(broken, &from, &to).await;
        let flipped = |(sent, got): (u8, &u8)| (sent ^ got).count_ones();
        let flips: Vec<_> = (1..).zip(&numbers).map(flipped).collect();
        assert_eq!(flips, [1, 1, 1], "{numbers:?}");

        let held = hold("client", "main");
        assert_eq!(arrived(&from, &to).await, [0; 0]);
        assert!(held.lift().applied >= 3);
        let mut buf = [0; 8];
        to.recv_from(&mut buf).await.unwrap();
    });
}
