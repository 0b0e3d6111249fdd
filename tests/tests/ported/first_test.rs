//! The first test of a ported service, as `docs/PORTING.md` shows it.

use super::my_service;

use std::net::SocketAddr;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::sync::watch;
use event_loop::time::{sleep, timeout};
use sim::Sim;
use tokio::io::AsyncReadExt;

#[sim::test(seeds = 200)]
async fn whoever_is_connected_hears_the_end(sim: Sim) {
    let [svc, client] = ["svc", "client"].map(|name| sim.host(name));
    let ms = Duration::from_millis;
    sim.link(&svc, &client).latency(ms(1)..=ms(10));

    let listening = svc.spawn(TcpListener::bind("0.0.0.0:80"));
    let listener = listening.await.unwrap().unwrap();
    let (stop, stopping) = watch::channel(false);
    let serving = svc.spawn(my_service::serve(listener, stopping));

    let address = SocketAddr::new(svc.ip(), 80);
    let asking = client.spawn(async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.read_to_end(&mut Vec::new()).await
    });

    // At an instant of the seed's choosing.
    sleep(sim.any_duration("stop", Duration::ZERO..=ms(50))).await;
    stop.send(true).unwrap();
    let limit = Duration::from_secs(60);
    let served = timeout(limit, serving).await;
    served.expect("the grace binds").unwrap();
    let heard = timeout(limit, asking).await;
    // Read to the end, or refused.
    drop(heard.expect("an end, not silence").unwrap());
}
