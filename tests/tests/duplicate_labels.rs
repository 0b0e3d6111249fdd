//! Two places with one label: told when the catalogue is read, by a campaign too.

use std::panic::catch_unwind;

use event_loop::properties::catalogue;
use sim::Config;

fn first() {
    event_loop::reachable!("a label");
}

fn second(met: bool) {
    event_loop::sometimes!(met, "a label");
}

#[test]
fn both_places_are_named() {
    first();
    second(true);
    let told = catalogue().expect_err("there are two").to_string();
    let file = file!();
    assert_eq!(
        told,
        format!(
            "two properties bear one label: reachable \"a label\" ({file}:9) and sometimes \
             \"a label\" ({file}:13); give one of them another label"
        )
    );
}

#[test]
fn a_campaign_does_not_begin() {
    let refused = catch_unwind(|| sim::check(&Config::new(), |_| async {}));
    let payload = refused.expect_err("the campaign fails");
    let text = payload.downcast_ref::<String>().expect("a text");
    assert!(text.contains("two properties bear one label"), "{text}");
}
