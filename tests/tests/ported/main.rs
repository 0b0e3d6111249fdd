//! Two services as they are written for tokio, and ported by their imports: the same behaviours on
//! real tokio, on the production loops and in the simulator.

#![allow(
    clippy::duplicate_mod,
    reason = "one text of the behaviours, compiled against each form of a service"
)]
#![allow(
    clippy::disallowed_types,
    reason = "the services are ordinary ones: in a world a HashMap's order is the seed's"
)]

/// The tests of a service's behaviours.
macro_rules! behaviours {
    ($($name:ident)*) => {$(
        mod $name {
            #[test]
            fn on_tokio() {
                crate::stage::on_tokio(super::on_tokio::behaviour::$name);
            }

            #[test]
            fn on_production_current_thread() {
                let behaviour = super::on_event_loop::behaviour::$name;
                crate::stage::on_production(::event_loop::production::current_thread, behaviour);
            }

            #[test]
            fn on_production_multi_thread() {
                let behaviour = super::on_event_loop::behaviour::$name;
                crate::stage::on_production(::event_loop::production::multi_thread, behaviour);
            }

            #[test]
            fn in_worlds() {
                crate::stage::in_worlds(super::on_event_loop::behaviour::$name);
            }
        }
    )*};
}

mod broker;
mod first_test;
mod my_service;
mod porting;
mod router;
mod stage;
