//! Options that are set and read back, with Linux's limits.

use std::time::Duration;

use net_sim::{Keepalive, Net, NetError, SocketId};

fn socket() -> (Net, SocketId) {
    let mut net = Net::default();
    let host = net.add_host(&["10.0.0.1".parse().unwrap()]).unwrap();
    let id = net.tcp_socket(host);
    (net, id)
}

#[test]
fn keep_alive_is_off_and_linux_s_until_it_is_set() {
    let (mut net, id) = socket();
    assert_eq!(net.keepalive(id), Ok(false));
    assert_eq!(net.keepalive_times(id), Ok(Keepalive::default()));

    let times = Keepalive {
        idle: Duration::from_millis(1_999),
        interval: Duration::from_secs(32_767),
        count: 127,
    };
    net.set_keepalive_times(id, times).unwrap();
    net.set_keepalive(id, true).unwrap();
    let idle = Duration::from_secs(1);
    assert_eq!(net.keepalive_times(id), Ok(Keepalive { idle, ..times }));
    assert_eq!(net.keepalive(id), Ok(true));
}

#[test]
fn keep_alive_times_that_linux_refuses_are_refused_and_change_nothing() {
    let (mut net, id) = socket();
    let good = Keepalive::default();
    let refused = [
        Keepalive {
            idle: Duration::from_millis(999),
            ..good
        },
        Keepalive {
            idle: Duration::from_secs(32_768),
            ..good
        },
        Keepalive {
            interval: Duration::ZERO,
            ..good
        },
        Keepalive {
            interval: Duration::MAX,
            ..good
        },
        Keepalive { count: 0, ..good },
        Keepalive { count: 128, ..good },
    ];
    for times in refused {
        let outcome = net.set_keepalive_times(id, times);
        assert_eq!(outcome, Err(NetError::InvalidInput), "{times:?}");
    }
    assert_eq!(net.keepalive_times(id), Ok(good));
}

#[test]
fn a_user_timeout_counts_milliseconds() {
    let (mut net, id) = socket();
    assert_eq!(net.user_timeout(id), Ok(None));
    let set = |net: &mut Net, timeout| net.set_user_timeout(id, timeout);
    set(&mut net, Some(Duration::from_micros(1_999))).unwrap();
    assert_eq!(net.user_timeout(id), Ok(Some(Duration::from_millis(1))));
    assert_eq!(
        set(&mut net, Some(Duration::MAX)),
        Err(NetError::InvalidInput)
    );
    set(&mut net, Some(Duration::from_micros(999))).unwrap();
    assert_eq!(net.user_timeout(id), Ok(None));
}

#[test]
fn a_ttl_is_a_byte_and_not_zero() {
    let (mut net, id) = socket();
    assert_eq!(net.ttl(id), Ok(64));
    for bad in [0, 256, u32::MAX] {
        assert_eq!(net.set_ttl(id, bad), Err(NetError::InvalidInput), "{bad}");
    }
    net.set_ttl(id, 255).unwrap();
    assert_eq!(net.ttl(id), Ok(255));
}
