//! TCP: what a call that is dropped before its end leaves behind.

use std::io;
use std::pin::pin;
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::time::sleep;
use event_loop::{select, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

/// What a call and its rival take about equally long for.
const MOMENT: Duration = Duration::from_millis(1);

cases! {
    T8 {
        an_accept_that_is_dropped_loses_no_connection: Anywhere,
        accepts_that_lose_a_race_lose_no_connection: Anywhere,
        a_connect_that_is_dropped_gives_its_socket_back: Anywhere,
        a_read_that_is_dropped_loses_no_byte: Anywhere,
        reads_that_lose_a_race_lose_no_byte: Anywhere,
        a_write_that_is_dropped_while_it_waits_wrote_nothing: Anywhere,
        a_read_exact_that_is_dropped_keeps_what_it_read: Anywhere,
        a_write_all_that_is_dropped_has_written_a_part: Anywhere,
        a_task_that_is_aborted_in_its_read_closes_its_stream: Anywhere,
    }
}

async fn an_accept_that_is_dropped_loses_no_connection(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    {
        let mut accept = pin!(async { listener.accept().await.map(|(stream, _)| stream) });
        stage.note_waiting("accept", accept.as_mut()).await;
        // Here it could have been accepted, had somebody polled.
        drop(stage.connect(address).await?);
        stage.settle().await;
    }
    let accepted = listener.accept().await;
    stage.note("accept again", accepted.map(|(stream, _)| stream));
    Ok(())
}

async fn accepts_that_lose_a_race_lose_no_connection(stage: Stage) -> io::Result<()> {
    const CLIENTS: u8 = 20;
    let (listener, address) = stage.listen().await?;
    let clients = {
        let stage = stage.clone();
        spawn(async move {
            let mut clients = vec![];
            for client in 0..CLIENTS {
                let mut stream = stage.connect(address).await?;
                stream.write_all(&[client]).await?;
                clients.push(stream);
            }
            io::Result::Ok(clients)
        })
    };
    let mut served = vec![];
    while served.len() < usize::from(CLIENTS) {
        select! {
            accepted = listener.accept() => served.push(accepted?.0.read_u8().await?),
            () = sleep(MOMENT) => {}
        }
    }
    clients.await.expect("it ends")?;
    served.sort_unstable();
    stage.note("all are served", served == (0..CLIENTS).collect::<Vec<_>>());
    Ok(())
}

async fn a_connect_that_is_dropped_gives_its_socket_back(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let polled_once = async move {
        let _ = futures::poll!(pin!(TcpStream::connect(address)));
    };
    stage.client.run(polled_once).await;
    stage.settle().await;
    let mut client = stage.connect(address).await?;
    client.write_all(b"!").await?;
    // Whether or not the one that gave up got as far as the listener, the next is served.
    let (mut server, peer) = listener.accept().await?;
    let mut server = if peer == client.local_addr()? {
        server
    } else {
        let ended = server.read(&mut [0]).await;
        assert!(!matches!(ended, Ok(1..)), "{ended:?} from nobody");
        listener.accept().await?.0
    };
    let mut heard = [0];
    stage.note("read", server.read_exact(&mut heard).await.map(|_| heard));
    Ok(())
}

async fn a_read_that_is_dropped_loses_no_byte(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    {
        let mut buffer = [0; 3];
        let mut read = pin!(server.read(&mut buffer));
        stage.note_waiting("read", read.as_mut()).await;
        client.write_all(b"abc").await?;
        stage.settle().await;
    }
    let mut heard = [0; 3];
    stage.note(
        "read again",
        server.read_exact(&mut heard).await.map(|_| heard),
    );
    Ok(())
}

async fn reads_that_lose_a_race_lose_no_byte(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let sent: Vec<u8> = (0..200).collect();
    let writing = {
        let sent = sent.clone();
        spawn(async move {
            for part in sent.chunks(7) {
                client.write_all(part).await?;
                sleep(MOMENT).await;
            }
            client.shutdown().await
        })
    };
    let mut heard = Vec::<u8>::new();
    loop {
        let mut part = [0; 5];
        select! {
            read = server.read(&mut part) => match read? {
                0 => break,
                n => heard.extend(&part[..n]),
            },
            () = sleep(MOMENT) => {}
        }
    }
    writing.await.expect("it ends")?;
    stage.note("as it was sent", heard == sent);
    Ok(())
}

async fn a_write_that_is_dropped_while_it_waits_wrote_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let mut written = 0;
    loop {
        let part = [0; 10_000];
        tokio::select! {
            biased;
            n = client.write(&part) => written += n?,
            () = stage.settle() => break,
        }
    }
    drop(client);
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("read what was written", heard.len() == written);
    Ok(())
}

async fn a_read_exact_that_is_dropped_keeps_what_it_read(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"abc").await?;
    stage.settle().await;
    {
        let mut buffer = [0; 5];
        let mut read = pin!(async { server.read_exact(&mut buffer).await.map(drop) });
        stage.note_waiting("read 5 of 3", read.as_mut()).await;
    }
    client.write_all(b"de").await?;
    drop(client);
    let mut rest = vec![];
    server.read_to_end(&mut rest).await?;
    stage.note("the rest", rest);
    Ok(())
}

async fn a_write_all_that_is_dropped_has_written_a_part(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let much = vec![0; stage.more_than_fits()];
    {
        let mut write = pin!(client.write_all(&much));
        stage.note_waiting("write", write.as_mut()).await;
    }
    drop(client);
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    let part = !heard.is_empty() && heard.len() < much.len();
    stage.note("a part has arrived", part);
    Ok(())
}

async fn a_task_that_is_aborted_in_its_read_closes_its_stream(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let reading = spawn(async move { server.read(&mut [0]).await.map(drop) });
    stage.settle().await;
    reading.abort();
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}
