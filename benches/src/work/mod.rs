//! The work of each row, written once over [`Executor`] or [`Network`], so that every contender
//! does the same. `madsim-peer` includes this folder by path: it must not name any runtime.

pub(crate) mod cpu;
mod datagrams;
mod executor;
mod memory;
mod network;
mod rates;
mod self_wake;
mod sleep_lengths;
mod streams;
mod virtual_hosts;
mod whole_runs;

pub use executor::{Clocked, Executor};
pub use network::{Datagrams, Link, Network, Streams};

/// One thing to measure; a row of the table takes one, or two and their difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Row a: million tasks spawned and joined per CPU second.
    SpawnAndJoin,
    /// Row b: million polls per CPU second.
    SelfWakes,
    /// Row c: million sleeps per CPU second.
    Sleeps,
    /// Row c2: million timeouts that never fire per CPU second.
    UnusedTimeouts,
    /// Row c2: heap bytes kept per timeout that never fired.
    UnusedTimeoutsKept,
    /// Row f: CPU microseconds to build, run and drop a simulation of nothing.
    FreshSimulation,
    /// Row g: peak resident bytes with 100,000 tasks asleep.
    Asleep,
    /// Row g: peak resident bytes with none.
    NoneAsleep,
    /// Row g2: heap bytes kept per finished task.
    FinishedTasksKept,
    /// Row g2: heap bytes kept per dropped simulation.
    DroppedSimulationsKept,
    /// Row h1: CPU milliseconds for 5 hosts, 1 s sleeps, one hour.
    FiveHostsForAnHour,
    /// Row h2: CPU milliseconds for 100 hosts, 1 s sleeps, one minute.
    HundredHostsForAMinute,
    /// Row i: CPU microseconds for a whole run of 3 tasks of 5 self-wakes.
    SmallRuns,
    /// Row d1: million round trips through a connection per CPU second.
    Echo(Link),
    /// Row d2: megabytes through a connection per CPU second.
    OneWay(Link),
    /// Row j: thousand connections from one host per CPU second.
    Connections(u32),
    /// Row e: million datagrams in windows of 32 per CPU second.
    Windows(Link),
    /// Row e2: million datagrams in bursts of 32,000 per CPU second.
    Bursts,
    /// Row hosts: CPU microseconds of an hour with that many idle hosts, all linked.
    IdleMesh(u32),
    /// Row hosts: million round trips per CPU second, that many hosts talking in pairs.
    EchoInPairs(u32),
}

impl Work {
    /// Every work, in the order of the table.
    pub const ALL: [Self; 29] = [
        Self::SpawnAndJoin,
        Self::SelfWakes,
        Self::Sleeps,
        Self::UnusedTimeouts,
        Self::UnusedTimeoutsKept,
        Self::FreshSimulation,
        Self::Asleep,
        Self::NoneAsleep,
        Self::FinishedTasksKept,
        Self::DroppedSimulationsKept,
        Self::FiveHostsForAnHour,
        Self::HundredHostsForAMinute,
        Self::SmallRuns,
        Self::Echo(Link::Ideal),
        Self::Echo(Link::Millisecond),
        Self::Echo(Link::OneToTen),
        Self::Echo(Link::Default),
        Self::OneWay(Link::Ideal),
        Self::OneWay(Link::Millisecond),
        Self::Connections(1_000),
        Self::Connections(10_000),
        Self::Connections(20_000),
        Self::Windows(Link::Ideal),
        Self::Windows(Link::Millisecond),
        Self::Bursts,
        Self::IdleMesh(2),
        Self::IdleMesh(1_000),
        Self::EchoInPairs(2),
        Self::EchoInPairs(1_000),
    ];

    /// The name a child process is called with.
    pub fn name(self) -> String {
        let name = match self {
            Self::Echo(link) => return format!("d1-{}", link.name()),
            Self::OneWay(link) => return format!("d2-{}", link.name()),
            Self::Windows(link) => return format!("e-{}", link.name()),
            Self::Connections(connections) => return format!("j-{connections}"),
            Self::IdleMesh(hosts) => return format!("idle-{hosts}"),
            Self::EchoInPairs(hosts) => return format!("pairs-{hosts}"),
            Self::Bursts => "e2",
            Self::SpawnAndJoin => "a",
            Self::SelfWakes => "b",
            Self::Sleeps => "c",
            Self::UnusedTimeouts => "c2",
            Self::UnusedTimeoutsKept => "c2-kept",
            Self::FreshSimulation => "f",
            Self::Asleep => "g",
            Self::NoneAsleep => "g-none",
            Self::FinishedTasksKept => "g2-tasks",
            Self::DroppedSimulationsKept => "g2-simulations",
            Self::FiveHostsForAnHour => "h1",
            Self::HundredHostsForAMinute => "h2",
            Self::SmallRuns => "i",
        };
        name.to_owned()
    }

    /// The work of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    /// Whether it is one of the network's.
    pub fn is_networked(self) -> bool {
        matches!(
            self,
            Self::Echo(_)
                | Self::OneWay(_)
                | Self::Connections(_)
                | Self::Windows(_)
                | Self::Bursts
                | Self::IdleMesh(_)
                | Self::EchoInPairs(_)
        )
    }

    /// Whether it counts live heap bytes, and so needs the binary with the counting allocator.
    pub fn counts_heap(self) -> bool {
        matches!(
            self,
            Self::UnusedTimeoutsKept | Self::FinishedTasksKept | Self::DroppedSimulationsKept
        )
    }
}

/// Live heap bytes of this process now.
pub type LiveBytes = fn() -> usize;

/// Does a work that needs no clock, and gives its figure in the work's unit.
pub fn measure_untimed<E: Executor>(executor: &E, work: Work) -> Option<f64> {
    Some(match work {
        Work::SpawnAndJoin => rates::spawn_and_join(executor),
        Work::SelfWakes => rates::self_wakes(executor),
        Work::FreshSimulation => whole_runs::fresh_simulations(executor),
        Work::SmallRuns => whole_runs::small_runs(executor),
        _ => return None,
    })
}

/// Does any work, and gives its figure in the work's unit; `None` when it counts the heap and
/// `live_bytes` is absent.
pub fn measure<E: Clocked>(executor: &E, work: Work, live_bytes: Option<LiveBytes>) -> Option<f64> {
    Some(match work {
        Work::Sleeps => rates::sleeps(executor),
        Work::UnusedTimeouts => rates::unused_timeouts(executor),
        Work::UnusedTimeoutsKept => memory::kept_per_unused_timeout(executor, live_bytes?),
        Work::Asleep => memory::peak_with_tasks_asleep(executor, memory::ASLEEP),
        Work::NoneAsleep => memory::peak_with_tasks_asleep(executor, 0),
        Work::FinishedTasksKept => memory::kept_per_finished_task(executor, live_bytes?),
        Work::DroppedSimulationsKept => memory::kept_per_dropped_simulation(executor, live_bytes?),
        Work::FiveHostsForAnHour => virtual_hosts::five_for_an_hour(executor),
        Work::HundredHostsForAMinute => virtual_hosts::hundred_for_a_minute(executor),
        untimed => return measure_untimed(executor, untimed),
    })
}

/// Does a work on connections, and gives its figure in the work's unit.
pub fn measure_streams<N: Streams>(network: &N, work: Work) -> Option<f64> {
    Some(match work {
        Work::Echo(link) => streams::echo(network, link),
        Work::OneWay(link) => streams::one_way(network, link),
        Work::Connections(count) => streams::connections(network, Link::Ideal, count),
        _ => return None,
    })
}

/// Does a work on datagrams, and gives its figure in the work's unit.
pub fn measure_datagrams<N: Datagrams>(network: &N, work: Work) -> Option<f64> {
    Some(match work {
        Work::Windows(link) => datagrams::windows(network, link),
        Work::Bursts => datagrams::bursts(network, Link::Millisecond),
        _ => return None,
    })
}

/// How many tasks row g puts to sleep: its figure is the difference of two peaks over this.
pub const ASLEEP: usize = memory::ASLEEP;
