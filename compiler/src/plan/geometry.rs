//! The pixels of a picture: how wide columns and how high rows are, and the paths of lines.

use std::fmt::Write;

use super::Plan;
use super::diagram::Role;
use super::layout::{Layout, Place};
use super::route::{Line, Routes, Way};

/// Pixels of a box, and of what is drawn below it.
pub(super) const BOX: (usize, usize) = (218, 62);
pub(super) const CHIP: usize = 20;
const CHIP_GAP: usize = 4;
/// Of what lies around everything, of a lane's title and of its end.
pub(super) const MARGIN: usize = 20;
pub(super) const LANE_TITLE: usize = 26;
const LANE_END: usize = 14;
const BETWEEN_LANES: usize = 8;
/// Of a gutter and a channel without a track, and of each track.
const GUTTER: usize = 30;
const CHANNEL: usize = 8;
const TRACK: usize = 8;
/// Of the corners of lines.
const RADIUS: usize = 6;
/// How far above the middle of a box the lines arrive that are only read.
const ABOVE_MIDDLE: usize = 14;

/// Where everything is.
pub(super) struct Geometry {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Of each lane, where it begins and how high it is.
    pub(super) lanes: Vec<(usize, usize)>,
    /// The left side of each column's boxes, and one more.
    columns: Vec<usize>,
    /// The width of the gutter before each column.
    gutters: Vec<usize>,
    /// The upper side of each row's boxes.
    rows: Vec<usize>,
}

impl Geometry {
    pub(super) fn of(plan: &Plan, layout: &Layout<'_>, routes: &Routes) -> Self {
        let gutter = |(at, tracks): (usize, &usize)| match at {
            0 => 0,
            _ => GUTTER.max((tracks + 3) * TRACK),
        };
        let gutters: Vec<usize> = routes.gutters.iter().enumerate().map(gutter).collect();
        let mut columns = Vec::with_capacity(gutters.len());
        let mut x = MARGIN;
        for gutter in &gutters {
            columns.push(x + gutter);
            x += gutter + BOX.0;
        }
        let mut below = vec![0_usize; layout.rows];
        for step in &plan.steps {
            if let Some(place) = layout.place(step.id) {
                below[place.row] = below[place.row].max(layout.sources(plan, step).len());
            }
        }
        let (mut lanes, mut rows, mut y) = (Vec::new(), Vec::new(), MARGIN / 2);
        for lane in &layout.lanes {
            let top = y;
            y += LANE_TITLE;
            let of_lane = lane.row..lane.row + lane.rows;
            for (place, (below, tracks)) in below[of_lane.clone()].iter().zip(&routes.channels[of_lane]).enumerate() {
                let channel = tracks * TRACK + if place == 0 { 0 } else { CHANNEL };
                rows.push(y + channel);
                y += channel + BOX.1 + below * (CHIP + CHIP_GAP);
            }
            y += LANE_END;
            lanes.push((top, y - top));
            y += BETWEEN_LANES;
        }
        let last = columns[layout.columns.saturating_sub(1)];
        Self { width: last + BOX.0 + MARGIN, height: y - BETWEEN_LANES + MARGIN / 2, lanes, columns, gutters, rows }
    }

    /// The upper left corner of a box.
    pub(super) fn corner(&self, place: Option<Place>) -> Option<(usize, usize)> {
        place.map(|place| (self.columns[place.column], self.rows[place.row]))
    }

    /// The corner of the box to the left of this one.
    pub(super) fn before(&self, (x, y): (usize, usize)) -> (usize, usize) {
        let column = self.columns.iter().rposition(|column| *column < x).unwrap_or_default();
        (self.columns[column], y)
    }

    /// The corner of what is drawn below a box.
    pub(super) fn below(&self, (x, y): (usize, usize), slot: usize) -> (usize, usize) {
        (x + 12, y + BOX.1 + CHIP_GAP + slot * (CHIP + CHIP_GAP))
    }

    /// The path of a line, as SVG writes it; empty if an end of it has no place.
    pub(super) fn path(&self, layout: &Layout<'_>, line: &Line) -> String {
        let (Some(from), Some(to)) = (layout.place(line.from), layout.place(line.to)) else { return String::new() };
        let start = (self.columns[from.column] + BOX.0, self.rows[from.row] + BOX.1 / 2);
        let above = if line.role == Role::Read && line.way != Way::Straight { ABOVE_MIDDLE } else { 0 };
        let end = (self.columns[to.column], self.rows[to.row] + BOX.1 / 2 - above);
        let in_gutter =
            |gutter: usize, track: usize| self.columns[gutter] - self.gutters[gutter] + (track + 1) * TRACK + 2;
        let between = match line.way {
            Way::Straight => Vec::new(),
            Way::Gutter { track } => {
                let x = in_gutter(to.column, track);
                vec![(x, start.1), (x, end.1)]
            }
            Way::Channel { out, along, into } => {
                let (left, right) = (in_gutter(from.column + 1, out), in_gutter(to.column, into));
                let y = self.rows[to.row] - (along + 1) * TRACK;
                vec![(left, start.1), (left, y), (right, y), (right, end.1)]
            }
        };
        let points: Vec<_> = std::iter::once(start).chain(between).chain([end]).collect();
        path(&points)
    }
}

/// A path along these points, level and upright by turns, with round corners.
fn path(points: &[(usize, usize)]) -> String {
    let mut out = String::new();
    let _ = write!(out, "M{} {}", points[0].0, points[0].1);
    for corner in points.windows(3) {
        let [before, at, after] = [corner[0], corner[1], corner[2]];
        // Half the way to the next corner, where that is near.
        let radius = RADIUS.min(distance(before, at) / 2).min(distance(at, after) / 2);
        let (first, second) = (towards(at, before, radius), towards(at, after, radius));
        let _ = write!(out, "L{} {}Q{} {} {} {}", first.0, first.1, at.0, at.1, second.0, second.1);
    }
    let end = points[points.len() - 1];
    let _ = write!(out, "L{} {}", end.0, end.1);
    out
}

fn distance(one: (usize, usize), other: (usize, usize)) -> usize {
    one.0.abs_diff(other.0) + one.1.abs_diff(other.1)
}

/// The point that lies so far from `at` on the way to `to`.
fn towards(at: (usize, usize), to: (usize, usize), by: usize) -> (usize, usize) {
    let shift = |at: usize, to: usize| match at.cmp(&to) {
        std::cmp::Ordering::Less => at + by,
        std::cmp::Ordering::Equal => at,
        std::cmp::Ordering::Greater => at - by,
    };
    (shift(at.0, to.0), shift(at.1, to.1))
}
