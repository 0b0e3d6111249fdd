//! TCP: bytes under way, the buffers they wait in, and who waits for them.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

/// Why a call may move less than it was asked to.
const PARTS: &str = "a call may move a part";

cases! {
    T3 {
        a_write_and_a_read_may_move_a_part: Anywhere,
    }
}

async fn a_write_and_a_read_may_move_a_part(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let written = client.write(b"xyz").await;
    stage.note_one_of("write 3", &written, &["1", "2", "3"], PARTS);
    client.write_all(&b"xyz"[written?..]).await?;
    stage.settle().await;
    let read = server.read(&mut [0; 10]).await;
    stage.note_one_of("read 10", &read, &["1", "2", "3"], PARTS);
    let mut rest = vec![0; 3 - read?];
    stage.note(
        "read the rest",
        server.read_exact(&mut rest).await.map(drop),
    );
    Ok(())
}
