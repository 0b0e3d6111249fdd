//! Our benches, and the same work on the peers.

use std::process::ExitCode;

use benches::{lifecycle, measure, properties, report, rows, sync, timers};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Our benches, and the same work on the peers")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// The loop: tasks, timers, whole simulations and their memory, against the peers
    Loop(Rows),
    /// The network: connections, datagrams and many hosts, against the peers
    Net(Rows),
    /// Synchronisation: our primitives in production and in a world, against tokio's on tokio
    Sync {
        /// One JSON object a row
        #[arg(long)]
        json: bool,
        /// Only these rows
        #[arg(long, value_name = "ID", num_args = 1..)]
        row: Vec<String>,
        /// How many children each figure is the median of
        #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u8).range(1..))]
        rounds: u8,
    },
    /// The life of a service: a TERM at every event, the clocks it reads, its restarts
    Lifecycle {
        /// One JSON object a row
        #[arg(long)]
        json: bool,
        /// Only these rows
        #[arg(long, value_name = "ID", num_args = 1..)]
        row: Vec<String>,
        /// How many children each figure is the median of
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
        rounds: u8,
    },
    /// Queues of pending timers: the wheel, and what it was chosen over
    Timers {
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// The property macros: what each costs in production, where no world was ever made
    Properties {
        /// Only pass this macro's place so often: what is counted
        #[arg(hide = true, num_args = 2, value_names = ["MACRO", "TIMES"])]
        pass: Vec<String>,
    },
    /// What a child process of `sync` does
    #[command(hide = true)]
    MeasureSync {
        /// The work's name
        work: String,
        /// Whose primitives, and where
        side: String,
    },
    /// What a child process of `lifecycle` does
    #[command(hide = true)]
    MeasureLifecycle {
        /// The work's name
        work: String,
    },
    /// What a child process does
    #[command(hide = true)]
    Measure {
        /// The work's name
        work: String,
        /// The contender's name
        contender: String,
    },
}

#[derive(Args)]
struct Rows {
    /// One JSON object a row
    #[arg(long)]
    json: bool,
    /// Only these rows
    #[arg(long, visible_alias = "only", value_name = "ID", num_args = 1..)]
    row: Vec<String>,
    /// The peers that are not the best of a row, too
    #[arg(long)]
    others: bool,
    /// How many children each figure is the median of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

impl From<Rows> for report::Request {
    fn from(rows: Rows) -> Self {
        Self {
            ids: rows.row,
            json: rows.json,
            others: rows.others,
            rounds: rows.rounds.into(),
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().bench {
        Bench::Loop(rows) => exit(report::run(rows::LOOP, &rows.into())),
        Bench::Net(rows) => exit(report::run(rows::NET, &rows.into())),
        Bench::Sync { json, row, rounds } => exit(sync::run(&row, json, rounds.into())),
        Bench::Lifecycle { json, row, rounds } => exit(lifecycle::run(&row, json, rounds.into())),
        Bench::MeasureLifecycle { work } => lifecycle::answer(&work, None),
        Bench::MeasureSync { work, side } => sync::answer(&work, &side),
        Bench::Timers { json } => {
            timers::run(json);
            ExitCode::SUCCESS
        }
        Bench::Properties { pass } => match properties::run(&pass) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::from(2)
            }
        },
        Bench::Measure { work, contender } => measure::answer(&work, &contender, None),
    }
}

/// Whether every bar is met, as an exit code.
fn exit(met: Result<bool, String>) -> ExitCode {
    match met {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}
