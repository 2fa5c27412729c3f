//! The plan as a picture: stages as lanes, steps as boxes, time from left to right.

use std::collections::HashSet;
use std::fmt::Write;

use super::diagram::{Role, escaped, kind, label, wrapped};
use super::geometry::{BOX, CHIP, Geometry, LANE_TITLE, MARGIN};
use super::layout::Layout;
use super::names::Names;
use super::route::{Line, Routes};
use super::text::{Called, Variables};
use super::{Forecast, Outlook, Plan, Step, StepId, text};

/// How many characters fit into a box, how many lines of them, and how many into what is drawn below it.
const FITS: usize = 28;
const LINES: usize = 2;
const CHIP_FITS: usize = 27;

/// How it looks, by day and by night.
pub(super) const STYLE: &str = include_str!("svg.css");

/// Where a picture is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On its own: what a step depends on is a tooltip.
    Alone,
    /// On a page, which says more of each step below.
    Page,
}

/// All that a step's box is drawn from.
struct Drawing<'d> {
    plan: &'d Plan,
    forecast: Option<&'d Forecast>,
    place: Place,
    critical: HashSet<StepId>,
    /// What is said of a step when it is pointed at.
    titles: Vec<String>,
}

impl Plan {
    /// As a picture on its own.
    #[must_use]
    pub fn to_svg(&self, forecast: Option<&Forecast>) -> String {
        self.picture(&Layout::of(self, forecast), forecast, Place::Alone)
    }

    /// As a picture.
    pub(super) fn picture(&self, layout: &Layout<'_>, forecast: Option<&Forecast>, place: Place) -> String {
        let routes = Routes::of(self, layout);
        let geometry = Geometry::of(self, layout, &routes);
        let (width, height) = (geometry.width, geometry.height);
        // Only with times is the critical path more than a long chain.
        let timed = forecast.map_or("", |_| " class=\"timed\"");
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{timed} viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" aria-label=\"plan of {}\">\n<style>{STYLE}</style>\n{ARROWS}",
            escaped(&self.target)
        );
        for (y, height) in &geometry.lanes {
            let (x, width) = (MARGIN / 2, width - MARGIN);
            let _ = writeln!(
                out,
                "<rect class=\"lane\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"10\"/>"
            );
        }
        draw_lines(layout, &routes, &geometry, &mut out);
        let drawing = Drawing {
            plan: self,
            forecast,
            place,
            critical: layout.critical.iter().copied().collect(),
            titles: self.titles(forecast, place),
        };
        for step in &self.steps {
            let Some(corner) = geometry.corner(layout.place(step.id)) else { continue };
            if let Some(base) = layout.base(self, step) {
                let before = geometry.before(corner);
                let class = if drawing.critical.contains(&base) { "edge critical" } else { "edge" };
                let _ = writeln!(
                    out,
                    "<path class=\"{class}\" data-from=\"{}\" data-to=\"{}\" d=\"M{} {}H{}\"/>",
                    base.0,
                    step.id.0,
                    before.0 + BOX.0,
                    before.1 + BOX.1 / 2,
                    corner.0
                );
                drawing.draw_box(&self.steps[base.index()], before, &mut out);
            }
            drawing.draw_box(step, corner, &mut out);
            for (slot, source) in layout.sources(self, step).into_iter().enumerate() {
                drawing.draw_chip(&self.steps[source.index()], geometry.below(corner, slot), &mut out);
            }
        }
        // Above the lines, which may pass where a title stands.
        for (lane, (y, _)) in layout.lanes.iter().zip(&geometry.lanes) {
            let (x, y) = (MARGIN + 2, y + LANE_TITLE - 8);
            let title = lane_title(lane.name, &self.target);
            let _ = writeln!(out, "<text class=\"title\" x=\"{x}\" y=\"{y}\">{title}</text>");
        }
        out.push_str("</svg>\n");
        out
    }

    /// What is said of each step when it is pointed at: everything where there is no page to say it.
    fn titles(&self, forecast: Option<&Forecast>, place: Place) -> Vec<String> {
        if place == Place::Page {
            return self.steps.iter().map(label).collect();
        }
        let names = Names::of(&self.steps);
        let texts = self.steps.iter().zip(text::steps(&self.steps, Called::Names(&names), Variables::Each));
        let titles = texts.map(|(step, text)| {
            let expected = forecast.map(|forecast| forecast.of(step.id));
            let outcome = expected.and_then(|expected| {
                let reason = if expected.reason.is_empty() { "" } else { ": " };
                Some(format!("\n{}{reason}{}", expected.outcome()?, expected.reason))
            });
            format!("{}{}", text.to_string().trim_end(), outcome.unwrap_or_default())
        });
        titles.collect()
    }
}

/// The name of a stage; of one without a name, its place in the file.
fn lane_title(name: &str, target: &str) -> String {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let shown = if is_number { format!("stage {name}") } else { escaped(name) };
    let mark = if name == target { "<tspan class=\"soft\"> · the image</tspan>" } else { "" };
    format!("{shown}{mark}")
}

fn draw_lines(layout: &Layout<'_>, routes: &Routes, geometry: &Geometry, out: &mut String) {
    let critical = layout.critical_edges();
    // What is critical is drawn last, above the others.
    let (hot, cold): (Vec<&Line>, Vec<&Line>) =
        routes.lines.iter().partition(|line| critical.contains(&(line.from, line.to)));
    for (lines, class) in [(cold, ""), (hot, " critical")] {
        for line in lines {
            let role = if line.role == Role::Read { " read" } else { "" };
            let _ = writeln!(
                out,
                "<path class=\"edge{role}{class}\" data-from=\"{}\" data-to=\"{}\" d=\"{}\"/>",
                line.from.0,
                line.to.0,
                geometry.path(layout, line)
            );
        }
    }
}

impl Drawing<'_> {
    /// Opens what a step is drawn in: on a page it leads to what the page says of it.
    fn open(&self, step: &Step, shape: &str, out: &mut String) {
        let mut class = format!("step {} {shape}", kind(step));
        if self.critical.contains(&step.id) {
            class.push_str(" critical");
        }
        if step.id == self.plan.result {
            class.push_str(" result");
        }
        if let Some(expected) = self.forecast.map(|forecast| forecast.of(step.id)) {
            let _ = write!(class, " {}", expected.outlook.name());
        }
        let (id, title) = (step.id.0, escaped(&self.titles[step.id.index()]));
        let _ = match self.place {
            Place::Alone => write!(out, "<g class=\"{class}\" data-step=\"{id}\"><title>{title}</title>"),
            Place::Page => {
                write!(out, "<a class=\"{class}\" data-step=\"{id}\" href=\"#step-{id}\"><title>{title}</title>")
            }
        };
    }

    fn close(&self, out: &mut String) {
        out.push_str(if self.place == Place::Page { "</a>\n" } else { "</g>\n" });
    }

    fn draw_box(&self, step: &Step, (x, y): (usize, usize), out: &mut String) {
        self.open(step, "box", out);
        let _ = write!(
            out,
            "<rect class=\"face\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"7\"/>\
             <rect class=\"mark\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{}\" rx=\"2\"/>",
            BOX.0,
            BOX.1,
            x + 5,
            y + 7,
            BOX.1 - 14
        );
        let text = label(step);
        let is_instruction = !step.inputs.is_empty();
        for (line, text) in wrapped(&text, FITS, LINES).iter().enumerate() {
            let text = match text.split_once(' ') {
                Some((keyword, rest)) if line == 0 && is_instruction => {
                    format!("<tspan class=\"keyword\">{}</tspan> {}", escaped(keyword), escaped(rest))
                }
                _ => escaped(text),
            };
            let _ = write!(out, "<text class=\"name\" x=\"{}\" y=\"{}\">{text}</text>", x + 16, y + 20 + 15 * line);
        }
        let expected = self.forecast.map(|forecast| forecast.of(step.id));
        let outcome = expected.and_then(|expected| Some(format!("{} {}", sign(expected.outlook), expected.outcome()?)));
        let note = outcome.unwrap_or_else(|| kind(step).to_owned());
        let _ = write!(out, "<text class=\"note\" x=\"{}\" y=\"{}\">{note}</text>", x + 16, y + BOX.1 - 10);
        if step.origin.line != 0 {
            let _ = write!(
                out,
                "<text class=\"note end\" x=\"{}\" y=\"{}\">line {}</text>",
                x + BOX.0 - 10,
                y + BOX.1 - 10,
                step.origin.line
            );
        }
        self.close(out);
    }

    fn draw_chip(&self, step: &Step, (x, y): (usize, usize), out: &mut String) {
        self.open(step, "chip", out);
        let text = wrapped(&label(step), CHIP_FITS, 1).concat();
        let _ = write!(
            out,
            "<path class=\"stem\" d=\"M{0} {y}v-4\"/><rect class=\"face\" x=\"{x}\" y=\"{y}\" width=\"{1}\" height=\"{2}\" rx=\"{3}\"/>\
             <circle class=\"mark\" cx=\"{4}\" cy=\"{5}\" r=\"3\"/><text class=\"name\" x=\"{6}\" y=\"{7}\">{8}</text>",
            x + 16,
            BOX.0 - 24,
            CHIP,
            CHIP / 2,
            x + 11,
            y + CHIP / 2,
            x + 20,
            y + CHIP - 6,
            escaped(&text)
        );
        self.close(out);
    }
}

/// What is expected of a step, for those who tell no colours apart.
fn sign(outlook: Outlook) -> char {
    match outlook {
        Outlook::Given => '·',
        Outlook::Hit => '✓',
        Outlook::Miss => '✕',
        Outlook::Unknown => '?',
    }
}

/// The heads of lines.
const ARROWS: &str = "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
     markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head\" d=\"M1 1L7 4L1 7z\"/></marker>\
     <marker id=\"hot\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
     markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head hot\" d=\"M1 1L7 4L1 7z\"/></marker></defs>\n";
