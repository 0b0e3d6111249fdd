//! Rows e and e2: datagrams in windows, and very many under way at once.

use super::cpu;
use super::network::{Datagrams, Link};

const WINDOWS: usize = 10_000;
const WINDOW: usize = 32;
const BURST: usize = 32_000;
const BURSTS: usize = 10;
const DATAGRAM: usize = 64;

/// Row e: windows of 32 datagrams of 64 bytes, each answered by one, in million datagrams a
/// second; the answers do not count.
pub(super) fn windows<N: Datagrams>(network: &N, link: Link) -> f64 {
    exchange(network, link, WINDOWS, WINDOW)
}

/// Row e2: bursts of 32,000 datagrams that are all under way at once, as many altogether.
pub(super) fn bursts<N: Datagrams>(network: &N, link: Link) -> f64 {
    exchange(network, link, BURSTS, BURST)
}

fn exchange<N: Datagrams>(network: &N, link: Link, windows: usize, window: usize) -> f64 {
    let server = async move {
        let socket = N::serve().await;
        let mut datagram = [0; DATAGRAM];
        for _ in 0..windows {
            let mut from = None;
            for _ in 0..window {
                let (len, sender) = N::receive(&socket, &mut datagram).await;
                assert_eq!(len, DATAGRAM);
                from = Some(sender);
            }
            let from = from.expect("a window is not empty");
            N::send(&socket, &datagram, from).await;
        }
        // Some networks lose what is under way when the sender goes.
        N::receive(&socket, &mut datagram).await;
    };
    let client = async move {
        let (socket, server) = N::open().await;
        let mut datagram = [0; DATAGRAM];
        for _ in 0..windows {
            for _ in 0..window {
                N::send(&socket, &datagram, server).await;
            }
            N::receive(&socket, &mut datagram).await;
        }
    };
    let time = cpu::time_of(|| network.run_pair(link, server, client));
    (windows * window) as f64 / 1e6 / time.as_secs_f64()
}
