//! Sending while building: layers of finished steps are packed and sent while later steps run, so that little is left to do
//! when the build has ended.
//!
//! A build must not take longer for it. So it is done by few threads, of low priority, and what is not sent when the build ends
//! is left to [`Place::put`], as is every failure: that sends what is not there, and says why it cannot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use layercake_cache::{ContentKey, Store};
use layercake_compiler::plan::{Plan, StepId};

use super::export::{Mode, described};
use super::place::Place;
use super::rate::{self, Rates};
use super::worth::Skip;
use crate::build::record;
use crate::image::reference::Reference;
use crate::layer::blob::{self, LayerBlob, Options};
use crate::registry::client::Client;
use crate::registry::event::{Direction, Event, How};
use crate::registry::parallel::Halt;

/// Layers that are packed or sent at the same time.
const THREADS: usize = 2;
/// Threads that compress.
const PACKERS: usize = 2;
/// How far those threads stand behind others, on the scale of `nice`.
const NICE: i32 = 15;

/// What may be sent to a place while the build goes on.
#[derive(Clone, Copy, Debug)]
pub struct Goods<'a> {
    /// Where to.
    pub place: &'a Place,
    /// Which steps travel.
    pub mode: Mode,
    /// How layers are packed that the image does not have.
    pub options: Options,
    /// How those are that it has.
    pub image: Option<Options>,
    /// Whether all of them are sent.
    pub skip: Skip,
}

/// A step that was done.
#[derive(Clone, Copy, Debug)]
struct Finished {
    step: StepId,
    key: ContentKey,
    took: Duration,
}

/// Carries out `build`, which tells of every step that it has done: its key, and how long it took.
pub fn during<T, E>(
    goods: &[Goods<'_>],
    plan: &Plan,
    store: &Store,
    client: Option<&Client>,
    build: impl FnOnce(&(dyn Fn(StepId, ContentKey, Duration) + Sync)) -> Result<T, E>,
) -> Result<T, E> {
    if goods.is_empty() {
        return build(&|_, _, _| ());
    }
    let (sender, steps) = mpsc::channel();
    let sending = Sending {
        goods,
        plan,
        store,
        client,
        steps: Mutex::new(steps),
        over: AtomicBool::new(false),
        halt: Halt::default(),
    };
    thread::scope(|scope| {
        let sender = Mutex::new(sender);
        for _ in 0..THREADS {
            scope.spawn(|| sending.work());
        }
        let done = build(&|step, key, took| {
            // It outlives the build.
            let _ = sender.lock().unwrap_or_else(PoisonError::into_inner).send(Finished { step, key, took });
        });
        sending.over.store(true, Ordering::Relaxed);
        if done.is_err() {
            sending.halt.stop();
        }
        done
    })
}

struct Sending<'a> {
    goods: &'a [Goods<'a>],
    plan: &'a Plan,
    store: &'a Store,
    client: Option<&'a Client>,
    steps: Mutex<Receiver<Finished>>,
    /// Whether the build has ended.
    over: AtomicBool,
    halt: Halt,
}

impl Sending<'_> {
    fn work(&self) {
        // Of this thread alone, and of those that it starts. Where that may not be, it is done all the same.
        let _ = rustix::process::nice(NICE);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(PACKERS).start_handler(|_| {
            let _ = rustix::process::nice(NICE);
        });
        let Ok(pool) = pool.build() else { return };
        loop {
            let next = self.steps.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(finished) = next else { return };
            let all = self.goods.iter().try_for_each(|goods| {
                if self.over.load(Ordering::Relaxed) { None } else { self.send(&finished, goods, &pool) }
            });
            if all.is_none() {
                // Whatever it is, who sends the rest will meet it again, and say so.
                self.over.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Packs and sends a layer; nothing if that cannot be done.
    fn send(&self, finished: &Finished, goods: &Goods<'_>, pool: &rayon::ThreadPool) -> Option<()> {
        let is_visible = self.plan.image.history.iter().any(|entry| entry.steps().any(|step| step == finished.step));
        if goods.mode == Mode::Min && !is_visible {
            return Some(());
        }
        let options = goods.image.filter(|_| is_visible).unwrap_or(goods.options);
        let Some(made) = record::find(self.store, &finished.key).ok()? else { return Some(()) };
        let folder = made.change.folder;
        let layer = pool.install(|| blob::make(self.store, &folder, options)).ok()?;
        let Place::Registry(reference) = goods.place else { return Some(()) };
        // Whether it is worth its way if it takes longer than its step is known when all steps are done.
        let rates = Rates::of(self.store, reference.host()).ok()?;
        if goods.skip == Skip::Auto && finished.took < rates.time(layer.size) && !is_visible {
            return Some(());
        }
        self.upload(&layer, reference)
    }

    fn upload(&self, layer: &LayerBlob, to: &Reference) -> Option<()> {
        let (start, moved) = (Instant::now(), AtomicBool::new(false));
        let note = |event| {
            if let Event::Finished { how: How::Moved, .. } = event {
                moved.store(true, Ordering::Relaxed);
            }
        };
        self.client?.send_blob(self.store, &described(layer), to, &self.halt, &note).ok()?;
        if moved.into_inner() {
            rate::learn(self.store, to.host(), Direction::Up, layer.size, start.elapsed()).ok()?;
        }
        Some(())
    }
}
