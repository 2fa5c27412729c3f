//! The command line: arguments, settings, and what a person sees.

fn main() {}
