//! Scenes of programs that care for no signal.

use std::time::Duration;

use super::{Cue, Scene};

const TERM: i32 = 15;
const WINCH: i32 = 28;

/// The scenes of this file.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "a program ends of itself",
        main: |_, stage| {
            Box::pin(async move {
                stage.say("begins");
                event_loop::time::sleep(Duration::from_millis(2)).await;
                stage.say("ends");
                3
            })
        },
        script: &[],
    },
    Scene {
        name: "TERM ends who has no handler, without cleanup",
        main: |_, stage| {
            Box::pin(async move {
                struct Cleanup(super::Stage);
                impl Drop for Cleanup {
                    fn drop(&mut self) {
                        self.0.say("cleaned up");
                    }
                }
                let _cleanup = Cleanup(stage.clone());
                stage.say("waits");
                std::future::pending::<()>().await;
                0
            })
        },
        script: &[Cue::signal("waits", WINCH), Cue::signal("waits", TERM)],
    },
];
