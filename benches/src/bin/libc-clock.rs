//! The child that reads the clock of libc, in a program without our interposed symbols.

fn main() {
    println!("{}", benches::lifecycle::clock::nanoseconds_a_read());
}
