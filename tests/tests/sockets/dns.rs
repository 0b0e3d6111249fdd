//! Names of hosts.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream, lookup_host, resolve};
use event_loop::time::{Instant, timeout};
use sim::net::{DnsFailure, dns};

use crate::case::Reach::{Anywhere, Loopback, Worlds};
use crate::case::cases;
use crate::outcome::Outcome;
use crate::stage::Stage;

cases! {
    N1 {
        localhost_is_this_host: Anywhere,
        the_text_of_an_address_is_that_address: Anywhere,
        a_connect_tries_the_addresses_of_a_name_in_turn: Loopback,
        a_name_that_nobody_has_is_an_error_that_names_it: Anywhere,
        a_text_that_is_no_name_is_an_error: Anywhere,
    }
    N2 {
        a_name_is_what_the_table_says: Worlds("change what a name means"),
        a_connect_by_name_goes_on_to_the_next_address: Worlds("change what a name means"),
        an_answer_takes_its_time: Worlds("slow its resolver down"),
        a_look_up_fails_as_the_table_says: Worlds("break its resolver"),
        a_name_that_changes_is_looked_up_anew: Worlds("change what a name means"),
        a_look_up_given_up_leaves_nothing: Worlds("slow its resolver down"),
        a_bind_to_a_name_waits_for_its_answer: Worlds("slow its resolver down"),
    }
}

const MS: Duration = Duration::from_millis(1);

/// Who is behind a name in order of their addresses, for their own order is open.
async fn behind(name: &str) -> io::Result<String> {
    let mut found = resolve(name).await?;
    found.sort_unstable();
    let texts: Vec<_> = found.iter().map(IpAddr::to_string).collect();
    Ok(texts.join(" "))
}

async fn localhost_is_this_host(stage: Stage) -> io::Result<()> {
    for name in ["localhost", "LOCALHOST"] {
        let found = resolve(name).await?;
        stage.note("it is the loopback", found.iter().all(IpAddr::is_loopback));
        let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
        stage.note("of IPv4 too", found.contains(&v4));
    }
    let mut found = lookup_host("localhost:80").await?;
    stage.note("with the port", found.all(|addr| addr.port() == 80));
    Ok(())
}

async fn the_text_of_an_address_is_that_address(stage: Stage) -> io::Result<()> {
    for text in ["10.0.0.7", "fd00::7", "::1"] {
        stage.note(text, behind(text).await);
    }
    let found: Vec<_> = lookup_host("[fd00::7]:80").await?.collect();
    stage.note(
        "with a port",
        found.iter().map(|a| a.to_string()).collect::<String>(),
    );
    Ok(())
}

async fn a_connect_tries_the_addresses_of_a_name_in_turn(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let client = TcpStream::connect(("localhost", port)).await?;
    stage.note("it is IPv4", client.peer_addr()?.is_ipv4());
    Ok(())
}

async fn a_name_that_nobody_has_is_an_error_that_names_it(stage: Stage) -> io::Result<()> {
    for (call, error) in [
        ("resolve", resolve("nobody.invalid").await.map(drop)),
        (
            "connect",
            TcpStream::connect("nobody.invalid:80").await.map(drop),
        ),
        (
            "bind",
            TcpListener::bind("nobody.invalid:80").await.map(drop),
        ),
    ] {
        let error = error.expect_err("nobody has it");
        let text = error.to_string();
        let start = "failed to lookup address information: ";
        stage.note(
            call,
            text.starts_with(start) && text.contains("\"nobody.invalid\""),
        );
        stage.note("the kind", error);
    }
    Ok(())
}

async fn a_text_that_is_no_name_is_an_error(stage: Stage) -> io::Result<()> {
    for text in ["", "a..b", "a b"] {
        stage.note("resolve", resolve(text).await.map(|found| found.len()));
    }
    stage.note("without a port", lookup_host("localhost").await.map(drop));
    stage.note(
        "a port too high",
        lookup_host("localhost:65536").await.map(drop),
    );
    Ok(())
}

async fn a_name_is_what_the_table_says(stage: Stage) -> io::Result<()> {
    let both = ["10.9.0.1", "10.9.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let _ = dns("db.internal").to(both);
    stage.note("the name", behind("db.internal").await);
    stage.note("in capitals, with a dot", behind("DB.Internal.").await);
    stage.note("a host", behind("main").await);
    let error = resolve("db.intern").await.expect_err("nobody has it");
    stage.note(
        "an error tells of names",
        error.to_string().contains("db.internal"),
    );
    Ok(())
}

async fn a_connect_by_name_goes_on_to_the_next_address(stage: Stage) -> io::Result<()> {
    let (listener, at) = {
        let listener = TcpListener::bind("main:0").await?;
        let at = listener.local_addr()?;
        (listener, at)
    };
    // Nobody listens at the loopback.
    let _ = dns("db").to([IpAddr::from(Ipv4Addr::LOCALHOST), at.ip()]);
    let client = stage
        .client
        .run(TcpStream::connect(("db", at.port())))
        .await?;
    stage.note("it is there", client.peer_addr()? == at);
    drop(listener);
    let refused = stage
        .client
        .run(TcpStream::connect(("db", at.port())))
        .await;
    stage.note("nobody is", refused.map(drop));
    Ok(())
}

async fn an_answer_takes_its_time(stage: Stage) -> io::Result<()> {
    let _ = dns("db").to(Ipv4Addr::new(10, 9, 0, 1)).latency(20 * MS);
    let before = Instant::now();
    stage.note("the answer", behind("db").await);
    stage.note("20 ms later", before.elapsed() >= 20 * MS);
    let before = Instant::now();
    resolve("main").await?;
    stage.note("others at once", before.elapsed() < MS);
    Ok(())
}

async fn a_look_up_fails_as_the_table_says(stage: Stage) -> io::Result<()> {
    let _ = dns("db").to(Ipv4Addr::new(10, 9, 0, 1));
    for failure in [
        DnsFailure::NoSuchName,
        DnsFailure::NoAddress,
        DnsFailure::ServerFailure,
        DnsFailure::Refused,
    ] {
        let broken = dns("db").fails(failure);
        let error = resolve("db").await.expect_err("it is broken");
        let text = error.to_string();
        stage.note("it says", text.split(": ").nth(1).unwrap_or_default());
        drop(broken);
    }
    let silent = dns("db").fails(DnsFailure::Timeout);
    let before = Instant::now();
    stage.note("silence", resolve("db").await.map(|found| found.len()));
    stage.note("10 s later", before.elapsed() >= Duration::from_secs(10));
    drop(silent);
    stage.note("mended", behind("db").await);
    Ok(())
}

async fn a_name_that_changes_is_looked_up_anew(stage: Stage) -> io::Result<()> {
    for n in 1..3 {
        let _ = dns("db").to(Ipv4Addr::new(10, 9, 0, n));
        stage.note("it is", behind("db").await);
    }
    let _ = dns("main").to(Ipv4Addr::new(10, 9, 0, 9));
    stage.note("a host that moved", behind("main").await);
    Ok(())
}

async fn a_look_up_given_up_leaves_nothing(stage: Stage) -> io::Result<()> {
    let _ = dns("db").to(Ipv4Addr::new(10, 9, 0, 1)).latency(50 * MS);
    for _ in 0..3 {
        stage.note("given up", timeout(MS, resolve("db")).await.is_err());
    }
    stage.note("waited for", behind("db").await);
    Ok(())
}

async fn a_bind_to_a_name_waits_for_its_answer(stage: Stage) -> io::Result<()> {
    let _ = dns("here").to("main").latency(50 * MS);
    let mut bind = Box::pin(TcpListener::bind("here:0"));
    let early = timeout(MS, bind.as_mut()).await.is_err();
    stage.note("it waits", early);
    let listener = bind.await?;
    let client = stage
        .client
        .run(TcpStream::connect(listener.local_addr()?))
        .await;
    stage.note("connect", client.map(drop).shown());
    Ok(())
}
