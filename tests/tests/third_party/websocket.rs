//! tungstenite, through tokio-tungstenite, over the loop's streams.

use event_loop::net::{TcpListener, TcpStream};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, client_async, client_async_with_config};

use crate::scene::{Hosts, plays_by_foul_weather, plays_everywhere};

#[test]
fn messages_of_every_kind_come_back() {
    let expected = [
        "text: hello",
        "binary: 0 bytes",
        "binary: 1000 bytes",
        "binary: 300000 bytes",
        "pong: still there?",
        "close: normal, bye",
        "end",
    ];
    let expected = expected.map(str::to_owned).to_vec();
    plays_everywhere(conversation, &expected);
    plays_by_foul_weather(conversation, &expected);
}

#[test]
fn a_message_that_is_too_long_ends_the_conversation() {
    plays_everywhere(too_long, &"Message too long: 300000 > 1000".to_owned());
}

#[test]
fn a_server_that_is_gone_is_no_clean_end() {
    plays_everywhere(
        gone,
        &"WebSocket protocol error: Connection reset without closing handshake".to_owned(),
    );
}

async fn conversation(hosts: Hosts) -> Vec<String> {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        while let Some(message) = socket.next().await {
            match message.unwrap() {
                message if message.is_text() || message.is_binary() => {
                    socket.send(message).await.unwrap();
                }
                _ => {}
            }
        }
    });
    let client = hosts.ask(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = client_async("ws://server.test/echo", stream).await.unwrap();
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "bye".into(),
        };
        let messages = [
            Message::text("hello"),
            Message::binary(vec![]),
            Message::binary(vec![7; 1000]),
            Message::binary(vec![8; 300_000]),
            Message::Ping("still there?".into()),
            Message::Close(Some(close)),
        ];
        let mut told = vec![];
        for message in messages {
            socket.send(message).await.unwrap();
            told.push(described(socket.next().await));
        }
        told.push(described(socket.next().await));
        told
    });
    let told = client.await.unwrap();
    echo.await.unwrap();
    told
}

async fn too_long(hosts: Hosts) -> String {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        socket.send(Message::binary(vec![0; 300_000])).await
    });
    let client = hosts.ask(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let config = WebSocketConfig::default().max_frame_size(Some(1000));
        let request = "ws://server.test/";
        let connected = client_async_with_config(request, stream, Some(config)).await;
        let (mut socket, _) = connected.unwrap();
        match socket.next().await {
            Some(Err(Error::Capacity(error))) => error.to_string(),
            other => format!("{other:?}"),
        }
    });
    let told = client.await.unwrap();
    // Its message may have been taken by the kernel, or the reset was faster.
    let _ = server.await.unwrap();
    told
}

async fn gone(hosts: Hosts) -> String {
    let listener = TcpListener::bind(hosts.server_at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = hosts.serve(async move {
        let (stream, _) = listener.accept().await.unwrap();
        drop(accept_async(stream).await.unwrap());
    });
    let client = hosts.ask(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = client_async("ws://server.test/", stream).await.unwrap();
        match socket.next().await {
            Some(Err(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    });
    server.await.unwrap();
    client.await.unwrap()
}

fn described(message: Option<Result<Message, Error>>) -> String {
    match message {
        Some(Ok(Message::Text(text))) => format!("text: {text}"),
        Some(Ok(Message::Binary(bytes))) => format!("binary: {} bytes", bytes.len()),
        Some(Ok(Message::Pong(bytes))) => format!("pong: {}", bytes.escape_ascii()),
        Some(Ok(Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason,
        })))) => format!("close: normal, {reason}"),
        None => "end".into(),
        other => format!("{other:?}"),
    }
}
