//! Where each step of a plan stands in a picture: stages are lanes, and what waits for something stands to the right of it.
//!
//! Places depend on nothing but the plan, so that the same plan is always the same picture. It knows no pixels.

use std::collections::{HashMap, HashSet};

use super::forecast::{Forecast, longest_path};
use super::{Plan, Step, StepId};
use crate::operation::Operation;

/// The places of all steps.
#[derive(Debug)]
pub(super) struct Layout<'p> {
    /// From top to bottom: in the order in which the plan comes to them.
    pub(super) lanes: Vec<Lane<'p>>,
    /// By step.
    pub(super) places: Vec<Place>,
    /// How many columns there are.
    pub(super) columns: usize,
    /// How many rows all lanes have.
    pub(super) rows: usize,
    /// The chain of steps that decides how long a build takes, the result first: the longest in time, where something is
    /// expected of a build, else the one with the most steps that do something.
    pub(super) critical: Vec<StepId>,
}

/// A stage.
#[derive(Debug)]
pub(super) struct Lane<'p> {
    /// Its name, or its place in the file.
    pub(super) name: &'p str,
    /// Its first row.
    pub(super) row: usize,
    /// How many rows it has.
    pub(super) rows: usize,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// From the left.
    pub(super) column: usize,
    /// From the top, through all lanes.
    pub(super) row: usize,
}

impl<'p> Layout<'p> {
    pub(super) fn of(plan: &'p Plan, forecast: Option<&Forecast>) -> Self {
        let columns = columns(plan);
        let (names, lane_of) = lanes(plan);
        // Steps of a stage come before what they take from outside, so that its chain is a straight line.
        let mut order: Vec<&Step> = plan.steps.iter().collect();
        order.sort_by_key(|step| step.inputs.is_empty());
        let mut taken = HashSet::new();
        let mut row_in_lane = vec![0; plan.steps.len()];
        let mut rows = vec![1; names.len()];
        for step in order {
            let (at, lane) = (step.id.index(), lane_of[step.id.index()]);
            let free = (0..).find(|row| taken.insert((lane, *row, columns[at]))).unwrap_or_default();
            row_in_lane[at] = free;
            rows[lane] = rows[lane].max(free + 1);
        }
        let mut lanes: Vec<Lane<'p>> = Vec::with_capacity(names.len());
        for (name, rows) in names.into_iter().zip(rows) {
            let row = lanes.last().map_or(0, |lane| lane.row + lane.rows);
            lanes.push(Lane { name, row, rows });
        }
        let place = |at: usize| Place { column: columns[at], row: lanes[lane_of[at]].row + row_in_lane[at] };
        Self {
            places: (0..plan.steps.len()).map(place).collect(),
            columns: columns.iter().max().map_or(0, |last| last + 1),
            rows: lanes.last().map_or(0, |lane| lane.row + lane.rows),
            critical: forecast.map_or_else(|| critical(plan), |forecast| forecast.critical(plan)),
            lanes,
        }
    }

    /// The steps of each lane, in the order of the plan.
    pub(super) fn by_lane(&self, plan: &'p Plan) -> Vec<Vec<&'p Step>> {
        let mut by_lane: Vec<Vec<&Step>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for step in &plan.steps {
            let row = self.place(step.id).row;
            by_lane[self.lanes.partition_point(|lane| lane.row <= row) - 1].push(step);
        }
        by_lane
    }

    /// What leads from one step of the critical path to the next.
    pub(super) fn critical_edges(&self) -> HashSet<(StepId, StepId)> {
        self.critical.windows(2).map(|pair| (pair[1], pair[0])).collect()
    }

    pub(super) fn place(&self, step: StepId) -> Place {
        self.places[step.index()]
    }
}

/// The column of each step: one more than that of the last thing it waits for; what waits for nothing stands just before its
/// first user.
fn columns(plan: &Plan) -> Vec<usize> {
    let mut columns = vec![0; plan.steps.len()];
    for step in &plan.steps {
        let last = step.inputs.iter().map(|input| columns[input.index()] + 1).max();
        columns[step.id.index()] = last.unwrap_or(0);
    }
    let mut first_use = vec![usize::MAX; plan.steps.len()];
    for step in &plan.steps {
        for input in &step.inputs {
            let first = &mut first_use[input.index()];
            *first = (*first).min(columns[step.id.index()]);
        }
    }
    for step in plan.steps.iter().filter(|step| step.inputs.is_empty()) {
        let first = first_use[step.id.index()];
        columns[step.id.index()] = if first == usize::MAX { 0 } else { first - 1 };
    }
    columns
}

/// The names of the lanes, and the lane of each step. What belongs to no stage stands in the lane of its first user.
fn lanes(plan: &Plan) -> (Vec<&str>, Vec<usize>) {
    let mut stage: Vec<&str> = plan.steps.iter().map(|step| step.origin.stage.as_str()).collect();
    for step in plan.steps.iter().rev() {
        for input in &step.inputs {
            if plan.steps[input.index()].inputs.is_empty() {
                stage[input.index()] = stage[step.id.index()];
            }
        }
    }
    // A plan that is nothing but a base.
    stage.iter_mut().filter(|stage| stage.is_empty()).for_each(|stage| *stage = &plan.target);
    let (mut names, mut known) = (Vec::new(), HashMap::new());
    let lane_of = stage.into_iter().map(|stage| {
        *known.entry(stage).or_insert_with(|| {
            names.push(stage);
            names.len() - 1
        })
    });
    let lane_of = lane_of.collect();
    (names, lane_of)
}

/// The longest chain that leads to the result, backwards, where times are not known: each step that does something counts the
/// same, and what is only brought in counts nothing.
fn critical(plan: &Plan) -> Vec<StepId> {
    let does =
        |operation: &Operation| matches!(operation, Operation::Run(_) | Operation::Copy(_) | Operation::MakeDir(_));
    let path = longest_path(plan, |step| u128::from(does(&step.operation)));
    path.into_iter().map(|(step, _)| step).collect()
}
