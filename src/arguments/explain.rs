//! The arguments of `explain`.

use clap::{Args, ValueEnum};

use super::inputs::Inputs;

/// `layercake explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The step: `%3` or `3`; a stage, `:LINE`, or `STAGE:LINE` [default: all steps].
    #[arg(value_name = "STEP")]
    pub step: Option<String>,
    #[command(flatten)]
    pub inputs: Inputs,
    /// How to print.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
}

/// How to print an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
