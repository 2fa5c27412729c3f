//! `du`, `prune`, `verify`: what the store holds, making room in it, and whether it is sound.

pub mod du;
pub mod prune;
pub mod verify;

use std::path::Path;
use std::time::SystemTime;

use layercake_cache::{Alone, Store};
use layercake_executor::namespace;
use layercake_executor::usage::Piece;
use layercake_executor::usage::doubt;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::{output, table};

/// How often somebody who waits for the store looks whether it is free.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The store, seen as those see it whom its files belong to.
fn open() -> Result<Store, Failure> {
    // Files of images belong to users that only a user namespace lets us be. Before there are threads.
    namespace::enter()?;
    let settings = Settings::read(Path::new("."))?;
    Ok(doubt::open(&settings.home)?)
}

/// Waits until nobody else uses the store. Who comes now waits for us.
fn alone(store: &Store) -> Result<Alone<'_>, Failure> {
    let mut has_told = false;
    loop {
        if let Some(alone) = store.alone()? {
            return Ok(alone);
        }
        if !std::mem::replace(&mut has_told, true) {
            output::tell("waiting until no build and no container uses the store\n");
        }
        std::thread::sleep(PAUSE);
    }
}

/// What a piece is called for short.
fn short(piece: &Piece) -> String {
    let name = &piece.part.name;
    let is_hash = name.len() == 64;
    if is_hash { name.chars().take(12).collect() } else { name.clone() }
}

fn since(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).map_or(0, |age| age.as_secs());
    table::ago(i64::try_from(seconds).unwrap_or(i64::MAX))
}
