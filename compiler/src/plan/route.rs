//! The ways of lines between the boxes of a picture: along the gutters between columns and the channels above rows, so that
//! none crosses a box.
//!
//! Lines from one step share their way as far as they can. Others that lie side by side have tracks of their own: intervals
//! are coloured greedily from the left (the left-edge algorithm of channel routing, Hashimoto and Stevens 1971).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::diagram::{Role, inputs};
use super::layout::{Layout, Place};
use super::{Plan, StepId};

/// A line from one step to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) from: StepId,
    pub(super) to: StepId,
    pub(super) role: Role,
    pub(super) way: Way,
}

/// How a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Level, with nothing in between.
    Straight,
    /// Through the gutter between two neighbouring columns.
    Gutter {
        /// Its track there.
        track: usize,
    },
    /// Into a gutter, along the channel above the row where it ends, and through the gutter before it.
    Channel {
        /// Its track in the gutter where it begins.
        out: usize,
        /// Its track in the channel.
        along: usize,
        /// Its track in the gutter where it ends.
        into: usize,
    },
}

/// All lines, and how many tracks they need.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) lines: Vec<Line>,
    /// Of the gutter to the left of each column.
    pub(super) gutters: Vec<usize>,
    /// Of the channel above each row.
    pub(super) channels: Vec<usize>,
}

/// Who a track belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Owner {
    From(StepId),
    Into(StepId),
}

/// The tracks of gutters or of channels: of each, which part of it every owner needs.
#[derive(Default)]
struct Needs(BTreeMap<(usize, Owner), (usize, usize)>);

impl Needs {
    fn add(&mut self, at: usize, owner: Owner, part: (usize, usize)) {
        let (start, end) = (part.0.min(part.1), part.0.max(part.1));
        let known = self.0.entry((at, owner)).or_insert((start, end));
        *known = (known.0.min(start), known.1.max(end));
    }

    /// A track for each owner, and how many there are of each gutter or channel.
    fn tracks(self, number: usize) -> (HashMap<(usize, Owner), usize>, Vec<usize>) {
        let mut by_start: Vec<_> = self.0.into_iter().collect();
        by_start.sort_by_key(|((at, owner), part)| (*at, *part, *owner));
        let mut ends: Vec<Vec<usize>> = vec![Vec::new(); number];
        let mut tracks = HashMap::with_capacity(by_start.len());
        for ((at, owner), (start, end)) in by_start {
            let free = ends[at].iter().position(|last| *last < start);
            let track = free.unwrap_or(ends[at].len());
            match free {
                Some(track) => ends[at][track] = end,
                None => ends[at].push(end),
            }
            tracks.insert((at, owner), track);
        }
        (tracks, ends.iter().map(Vec::len).collect())
    }
}

impl Routes {
    pub(super) fn of(plan: &Plan, layout: &Layout<'_>) -> Self {
        let mut taken: BTreeSet<(usize, usize)> =
            layout.places.iter().flatten().map(|place| (place.row, place.column)).collect();
        for step in &plan.steps {
            if let (Some(place), Some(_)) = (layout.place(step.id), layout.base(plan, step)) {
                taken.insert((place.row, place.column - 1));
            }
        }
        let is_open = |from: Place, to: Place| {
            from.row == to.row && taken.range((to.row, from.column + 1)..(to.row, to.column)).next().is_none()
        };
        let ends = plan.steps.iter().flat_map(|step| inputs(step).into_iter().map(move |input| (step, input)));
        let ends = ends
            .filter_map(|(step, (from, role))| Some((from, layout.place(from)?, step.id, layout.place(step.id)?, role)))
            .collect::<Vec<_>>();
        let (mut gutters, mut channels) = (Needs::default(), Needs::default());
        // Down a gutter come, for each row, its channel and then its boxes.
        let (channel, boxes) = (|row: usize| 2 * row, |row: usize| 2 * row + 1);
        for (from, start, to, end, _) in &ends {
            if is_open(*start, *end) {
                continue;
            }
            let out = start.column + 1;
            if out == end.column {
                gutters.add(out, Owner::From(*from), (boxes(start.row), boxes(end.row)));
            } else {
                gutters.add(out, Owner::From(*from), (boxes(start.row), channel(end.row)));
                channels.add(end.row, Owner::From(*from), (out, end.column));
                gutters.add(end.column, Owner::Into(*to), (channel(end.row), boxes(end.row)));
            }
        }
        let (in_gutter, gutters) = gutters.tracks(layout.columns + 1);
        let (in_channel, channels) = channels.tracks(layout.rows);
        let way = |from: StepId, start: Place, to: StepId, end: Place| {
            let out = start.column + 1;
            match () {
                () if is_open(start, end) => Way::Straight,
                () if out == end.column => Way::Gutter { track: in_gutter[&(out, Owner::From(from))] },
                () => Way::Channel {
                    out: in_gutter[&(out, Owner::From(from))],
                    along: in_channel[&(end.row, Owner::From(from))],
                    into: in_gutter[&(end.column, Owner::Into(to))],
                },
            }
        };
        let lines = ends.iter().map(|(from, start, to, end, role)| Line {
            from: *from,
            to: *to,
            role: *role,
            way: way(*from, *start, *to, *end),
        });
        Self { lines: lines.collect(), gutters, channels }
    }
}
