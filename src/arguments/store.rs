//! The arguments of the commands on the store.

use clap::Args;

use super::images::FORMATS;

/// `layercake du`.
#[derive(Debug, Args)]
pub struct Du {
    /// Show everything that is known of each piece.
    #[arg(short, long)]
    pub verbose: bool,
    /// Only what fits: `type=layer|file|folder|cachemount|git|unfinished|document|record|note`, `id=BEGINNING`,
    /// `image=NAME`, `reclaimable=true|false`, `shared=true|false`, `until=24h|TIME` (not used since).
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub filter: Vec<String>,
    #[arg(long, default_value = "table", hide_default_value = true, help = FORMATS)]
    pub format: String,
}

/// `layercake prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Images that have a name too.
    #[arg(short, long)]
    pub all: bool,
    /// Stop as soon as the store takes no more than this.
    #[arg(long, value_name = "SIZE", alias = "max-used-space")]
    pub keep_storage: Option<String>,
    /// Only what was not used for so long.
    #[arg(long, value_name = "24h|7d")]
    pub older_than: Option<String>,
    /// As `--older-than`, in docker's words: `until=24h|TIME`.
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "older_than")]
    pub filter: Option<String>,
    /// Say what would go, and take nothing away.
    #[arg(long)]
    pub dry_run: bool,
    /// Ask nothing. Nothing is ever asked.
    #[arg(short, long)]
    pub force: bool,
}

/// `layercake verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Take away what is damaged, so that it is made or fetched again.
    #[arg(long)]
    pub repair: bool,
}
