//! Where each step of a plan stands in a picture: stages are lanes, and what waits for something stands to the right of it.
//!
//! A layered drawing after Sugiyama, Tagawa and Toda (1981), whose lanes are given: layers are longest paths, and the rows of
//! a lane are put in order by the barycentre of what they are joined to. What is brought in from outside is drawn where it is
//! used, each time again: one build context with a line to every copy would be most of the picture. Places depend on nothing
//! but the plan, so that the same plan is always the same picture. It knows no pixels.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::forecast::{Forecast, longest_path};
use super::{Plan, Step, StepId};
use crate::operation::Operation;

/// How often rows are put in order by what they are joined to; more has not been seen to change anything.
const SWEEPS: usize = 4;

/// The places of all steps.
#[derive(Debug)]
pub(super) struct Layout<'p> {
    /// From top to bottom: in the order in which the plan comes to them.
    pub(super) lanes: Vec<Lane<'p>>,
    /// The lane of each step. What belongs to no stage is in the lane of its first user.
    pub(super) lane_of: Vec<usize>,
    /// By step. Nothing where it is drawn with its users.
    pub(super) places: Vec<Option<Place>>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        let (row_in_lane, rows) = rows(plan, &columns, &lane_of, names.len());
        let mut lanes: Vec<Lane<'p>> = Vec::with_capacity(names.len());
        for (name, rows) in names.into_iter().zip(rows) {
            let row = lanes.last().map_or(0, |lane| lane.row + lane.rows);
            lanes.push(Lane { name, row, rows });
        }
        let row = |at: usize| row_in_lane[at].map(|row| lanes[lane_of[at]].row + row);
        let mut places: Vec<Option<Place>> =
            (0..plan.steps.len()).map(|at| Some(Place { column: columns[at], row: row(at)? })).collect();
        // A plan that is nothing but a base.
        places[plan.result.index()].get_or_insert(Place { column: 0, row: 0 });
        let mut layout = Self {
            columns: columns.iter().max().map_or(0, |last| last + 1),
            rows: lanes.last().map_or(0, |lane| lane.row + lane.rows),
            critical: forecast.map_or_else(|| critical(plan), |forecast| forecast.critical(plan)),
            lanes,
            lane_of,
            places,
        };
        for _ in 0..SWEEPS {
            layout.order_rows(plan);
        }
        layout
    }

    /// The steps of each lane, in the order of the plan.
    pub(super) fn by_lane(&self, plan: &'p Plan) -> Vec<Vec<&'p Step>> {
        let mut by_lane: Vec<Vec<&Step>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for (step, lane) in plan.steps.iter().zip(&self.lane_of) {
            by_lane[*lane].push(step);
        }
        by_lane
    }

    /// What leads from one step of the critical path to the next.
    pub(super) fn critical_edges(&self) -> HashSet<(StepId, StepId)> {
        self.critical.windows(2).map(|pair| (pair[1], pair[0])).collect()
    }

    pub(super) fn place(&self, step: StepId) -> Option<Place> {
        self.places[step.index()]
    }

    /// What is drawn to the left of a step: the image that it begins with.
    pub(super) fn base(&self, plan: &Plan, step: &Step) -> Option<StepId> {
        base(plan, step).filter(|base| self.place(*base).is_none())
    }

    /// What is drawn below a step: the rest of what it takes from outside, each once.
    pub(super) fn sources(&self, plan: &Plan, step: &Step) -> Vec<StepId> {
        let base = base(plan, step);
        let mut sources: Vec<StepId> = Vec::new();
        for input in &step.inputs {
            if self.place(*input).is_none() && base != Some(*input) && !sources.contains(input) {
                sources.push(*input);
            }
        }
        sources
    }

    /// Puts the rows of each lane in the order of the mean row of what they are joined to.
    fn order_rows(&mut self, plan: &Plan) {
        let mut joined = vec![(0_usize, 0_usize); self.rows];
        for step in &plan.steps {
            let Some(to) = self.place(step.id) else { continue };
            for from in step.inputs.iter().filter_map(|input| self.place(*input)) {
                if from.row != to.row {
                    for (one, other) in [(from.row, to.row), (to.row, from.row)] {
                        joined[one].0 += other;
                        joined[one].1 += 1;
                    }
                }
            }
        }
        let mut new_row: Vec<usize> = (0..self.rows).collect();
        for lane in self.lanes.iter().filter(|lane| lane.rows > 1) {
            let mut order: Vec<usize> = (lane.row..lane.row + lane.rows).collect();
            // A row that is joined to nothing stays where it is. In thousandths, so that the order is one of whole numbers.
            order.sort_by_key(|row| match joined[*row] {
                (_, 0) => row * 1000,
                (sum, count) => sum * 1000 / count,
            });
            order.into_iter().zip(lane.row..).for_each(|(old, new)| new_row[old] = new);
        }
        self.places.iter_mut().flatten().for_each(|place| place.row = new_row[place.row]);
    }
}

/// Whether something has no place of its own, but is drawn with what uses it.
fn is_source(step: &Step) -> bool {
    step.inputs.is_empty()
}

/// The image that a step begins with, if it is the first of its chain.
fn base(plan: &Plan, step: &Step) -> Option<StepId> {
    let first = *step.inputs.first()?;
    matches!(plan.steps[first.index()].operation, Operation::Image(_)).then_some(first)
}

/// The column of each step: one more than that of the last thing it waits for.
fn columns(plan: &Plan) -> Vec<usize> {
    let mut columns = vec![0_usize; plan.steps.len()];
    for step in &plan.steps {
        let last = step.inputs.iter().map(|input| columns[input.index()] + 1).max();
        columns[step.id.index()] = last.unwrap_or(0);
    }
    // Where nothing stands in the first column, there is none.
    let is_empty = !plan.steps.iter().any(|step| base(plan, step).is_some() && columns[step.id.index()] == 1);
    if is_empty && plan.steps.len() > 1 {
        columns.iter_mut().for_each(|column| *column = column.saturating_sub(1));
    }
    columns
}

/// For each step its row in its lane, and how many rows each lane has. The chain of a stage is a straight line.
fn rows(plan: &Plan, columns: &[usize], lane_of: &[usize], lanes: usize) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut order: Vec<&Step> = plan.steps.iter().filter(|step| !is_source(step)).collect();
    let spines = spines(plan, lane_of);
    order.sort_by_key(|step| !spines.contains(&step.id));
    // Of each lane and row, where something begins, and where it ends.
    let mut taken: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    let mut row_of: Vec<Option<usize>> = vec![None; plan.steps.len()];
    let mut rows = vec![1; lanes];
    for step in order {
        let (at, lane) = (step.id.index(), lane_of[step.id.index()]);
        let below = step.inputs.first().map(|input| input.index()).filter(|below| lane_of[*below] == lane);
        let before = below.and_then(|below| Some((row_of[below]?, columns[below] + 1)));
        let own = columns[at] - usize::from(base(plan, step).is_some());
        let is_free = |row: usize, first: usize| {
            let last = taken.range((lane, row, 0)..=(lane, row, columns[at])).next_back();
            last.is_none_or(|(_, end)| *end < first)
        };
        let (row, first) = before.filter(|(row, first)| is_free(*row, *first)).unwrap_or_else(|| {
            let row = (0..).find(|row| is_free(*row, own)).unwrap_or_default();
            (row, own)
        });
        taken.insert((lane, row, first), columns[at]);
        row_of[at] = Some(row);
        rows[lane] = rows[lane].max(row + 1);
    }
    (row_of, rows)
}

/// The steps from which each stage's last is made, one on the other.
fn spines(plan: &Plan, lane_of: &[usize]) -> HashSet<StepId> {
    let mut last: HashMap<usize, StepId> = HashMap::new();
    for step in plan.steps.iter().filter(|step| !is_source(step)) {
        last.insert(lane_of[step.id.index()], step.id);
    }
    let below = |step: &StepId| plan.steps[step.index()].inputs.first().copied();
    let mut spines = HashSet::new();
    for (lane, step) in last {
        let chain = std::iter::successors(Some(step), below);
        spines.extend(chain.take_while(|step| lane_of[step.index()] == lane));
    }
    spines
}

/// The names of the lanes, and the lane of each step. What belongs to no stage stands in the lane of its first user.
fn lanes(plan: &Plan) -> (Vec<&str>, Vec<usize>) {
    let mut stage: Vec<&str> = plan.steps.iter().map(|step| step.origin.stage.as_str()).collect();
    for step in plan.steps.iter().rev() {
        for input in &step.inputs {
            if is_source(&plan.steps[input.index()]) {
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
