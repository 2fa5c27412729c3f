//! The plan as a page that needs nothing else: a summary, the picture, every step with what it depends on, and the image.
//!
//! Nothing of it comes from elsewhere, and nothing but its own style and script is allowed in it. Without the script, what a
//! step depends on is in the list of steps; with it, it is shown beside the picture.

use std::fmt::Write;

use super::diagram::{escaped, kind, label};
use super::forecast::{Outlook, spoken};
use super::layout::Layout;
use super::names::Names;
use super::svg::Place;
use super::text::{Called, Variables};
use super::{Forecast, Plan, Step, StepId, text};

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the page may do: use these styles and this script, known by their SHA-256. Tests compute them.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
     style-src 'sha256-hNCltlTn3kHLWgeE72VcBGKPfIQggeGhxGfkwoPk3Vw=' 'sha256-eLUIZ65DO75HSQ8IiXplizxgFnUXTKDQC3Wu+5G/edM='; script-src 'sha256-bfSriV8usks2yFzPJn+5VWio0A579GrrUEGLJ4KwPVI='";

impl Plan {
    /// As a page on its own: no script, style or font comes from elsewhere.
    #[must_use]
    pub fn to_html(&self, forecast: Option<&Forecast>) -> String {
        let layout = Layout::of(self, forecast);
        let target = escaped(&self.target);
        let title = if is_number(&self.target) { format!("stage {target}") } else { target };
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · plan</title>\n<style>{PAGE_STYLE}</style></head>\n<body>\n"
        );
        self.write_summary(&title, &layout, forecast, &mut out);
        self.write_picture(&layout, forecast, &mut out);
        self.write_steps(forecast, &mut out);
        self.write_documents(&mut out);
        let _ = write!(out, "<script>{SCRIPT}</script>\n</body></html>\n");
        out
    }

    /// What one wants to know first.
    fn write_summary(&self, title: &str, layout: &Layout<'_>, forecast: Option<&Forecast>, out: &mut String) {
        let count = |outlook| forecast.map_or(0, |forecast| forecast.count(outlook));
        let doing = self.steps.iter().filter(|step| !step.inputs.is_empty()).count();
        let _ = write!(
            out,
            "<header><h1>{title}</h1><p class=\"platform\">{}</p>\n<dl class=\"summary\">\n",
            escaped(&self.platform.to_string())
        );
        let mut fact = |name: &str, value: &str, more: &str, class: &str| {
            let _ = writeln!(out, "<div class=\"{class}\"><dt>{name}</dt><dd>{value} <small>{more}</small></dd></div>");
        };
        let stages = layout.lanes.len();
        fact("Steps", &doing.to_string(), &format!("in {}", counted(stages, "stage")), "");
        if let Some(forecast) = forecast {
            fact("Hits", &count(Outlook::Hit).to_string(), "", "hit");
            fact("Misses", &count(Outlook::Miss).to_string(), "", "miss");
            fact("Unknown", &count(Outlook::Unknown).to_string(), "", "unknown");
            let (estimate, more) = estimate(self, forecast);
            fact("Next build", &estimate, &more, "");
        }
        let critical = layout.critical.iter().filter(|step| !self.steps[step.index()].operation.is_given()).count();
        let length =
            forecast.map(|forecast| forecast.costs(self).remaining(self).into_iter().max().unwrap_or_default());
        match length {
            // Where all of it has been done, nothing decides how long the build takes.
            Some(_) if critical == 0 => fact("Critical path", "none", "", "critical"),
            Some(length) if forecast.and_then(|forecast| forecast.span(self)).is_some() => {
                fact("Critical path", &spoken(length), &counted(critical, "step"), "critical");
            }
            _ => fact("Critical path", &critical.to_string(), if critical == 1 { "step" } else { "steps" }, "critical"),
        }
        let layers = self.image.history.iter().filter(|planned| planned.step.is_some()).count();
        let on = match self.image.base {
            Some(base) => format!("on {}", escaped(&label(&self.steps[base.index()]))),
            None => "from scratch".to_owned(),
        };
        fact("New layers", &layers.to_string(), &on, "");
        out.push_str("</dl></header>\n");
    }

    fn write_picture(&self, layout: &Layout<'_>, forecast: Option<&Forecast>, out: &mut String) {
        let legend = if forecast.is_some() { LEGEND_OF_STATES } else { LEGEND_OF_KINDS };
        let filters = if forecast.is_some() { FILTERS } else { "" };
        let _ = write!(
            out,
            "<div class=\"tools\" role=\"search\"><input type=\"search\" id=\"find\" placeholder=\"Find a step  ( / )\" \
             aria-label=\"Find a step\">{filters}<output id=\"found\"></output>\
             <span class=\"zoom\"><button type=\"button\" id=\"smaller\" aria-label=\"Smaller\">−</button>\
             <button type=\"button\" id=\"fit\">Fit</button>\
             <button type=\"button\" id=\"larger\" aria-label=\"Larger\">+</button></span></div>\n\
             <main><figure tabindex=\"0\" aria-label=\"The steps as a picture\">\n{}</figure>\n\
             <aside id=\"panel\" aria-live=\"polite\"><div class=\"hint\"><p class=\"scripted-only\">Point at a step to see what it \
             waits for and what waits for it. Click to keep it here; the arrow keys go on from it, Escape lets it go.</p>\
             {path}</div></aside></main>\n\
             <ul class=\"legend\">{legend}{LEGEND}</ul>\n",
            self.picture(layout, forecast, Place::Page),
            path = self.critical_path(layout, forecast),
        );
    }

    /// The critical path, the first step first, as links.
    fn critical_path(&self, layout: &Layout<'_>, forecast: Option<&Forecast>) -> String {
        let names = Names::of(&self.steps);
        let steps = layout.critical.iter().rev().filter(|step| !self.steps[step.index()].operation.is_given());
        let links = steps.map(|step| {
            let time = forecast.and_then(|forecast| forecast.of(*step).time());
            let time = time.map_or_else(String::new, |time| format!(" <small>{}</small>", spoken(time)));
            format!("<li><a href=\"#step-{}\">{}</a>{time}", step.0, escaped(names.name(*step)))
        });
        let links: String = links.collect();
        if links.is_empty() { links } else { format!("<h3>Critical path</h3><ol class=\"path\">{links}</ol>") }
    }

    /// Every step with what it depends on.
    fn write_steps(&self, forecast: Option<&Forecast>, out: &mut String) {
        let names = Names::of(&self.steps);
        let users = self.users();
        let heads = if forecast.is_some() { "<th>Next build<th class=\"number\">Time" } else { "" };
        let _ = write!(
            out,
            "<section><h2>Steps</h2>\n<table class=\"steps\"><thead><tr><th class=\"number\">No.<th>Step<th>Instruction<th>Stage\
             <th class=\"number\">Line{heads}</tr></thead>\n<tbody>\n"
        );
        let texts: Vec<String> =
            text::steps(&self.steps, Called::Names(&names), Variables::Each).map(|text| text.to_string()).collect();
        for (step, text) in self.steps.iter().zip(&texts) {
            let list = |steps: &[StepId]| -> String {
                let mut steps = steps.to_vec();
                steps.sort_unstable();
                steps.dedup();
                let link = |step: StepId| format!("<a href=\"#step-{}\">{}</a>", step.0, escaped(names.name(step)));
                steps.into_iter().map(link).collect::<Vec<_>>().join(" ")
            };
            let (state, class) = state(step, forecast);
            let line = if step.origin.line == 0 { String::new() } else { step.origin.line.to_string() };
            // What the first two lines of its text say stands in the row already.
            let facts = text.split_once('\n').map_or("", |(_, facts)| facts);
            let facts = facts.lines().filter(|line| !line.starts_with("    for "));
            let facts: Vec<&str> = facts.map(|line| line.get(4..).unwrap_or(line)).collect();
            let waits = match step.inputs.as_slice() {
                [] => String::new(),
                inputs => format!("<p>waits for {}</p>", list(inputs)),
            };
            let waited = match users[step.id.index()].as_slice() {
                [] => String::new(),
                users => {
                    let verb = if users.len() == 1 { "waits" } else { "wait" };
                    format!("<p>{} {verb} for it</p>", list(users))
                }
            };
            let _ = writeln!(
                out,
                "<tr id=\"step-{id}\" class=\"{class}\"><td class=\"number\">%{id}\
                 <th scope=\"row\"><code>{name}</code><td><details><summary><code>{instruction}</code></summary>\
                 <div class=\"facts\"><pre>{facts}</pre>{waits}{waited}</div></details><td>{stage}<td class=\"number\">{line}{state}</tr>",
                id = step.id.0,
                class = format_args!("{} {class}", kind(step)),
                name = escaped(names.name(step.id)),
                instruction = escaped(&step.origin.name),
                facts = escaped(&facts.join("\n")),
                stage = escaped(&step.origin.stage),
            );
        }
        out.push_str("</tbody></table></section>\n");
    }

    /// The image's configuration and history.
    fn write_documents(&self, out: &mut String) {
        let names = Names::of(&self.steps);
        out.push_str(
            "<section><h2>Image</h2>\n<div class=\"documents\"><div><h3>Configuration</h3><dl class=\"config\">\n",
        );
        let config = text::config(&self.image.config);
        for line in config.lines() {
            let (name, value) = line.trim_start().split_once(' ').unwrap_or((line, ""));
            let _ = writeln!(out, "<dt>{}</dt><dd><code>{}</code></dd>", escaped(name), escaped(value.trim_start()));
        }
        if let Some(author) = &self.image.author {
            let _ = writeln!(out, "<dt>author</dt><dd>{}</dd>", escaped(author));
        }
        out.push_str("</dl></div><div><h3>History</h3><ol class=\"history\">\n");
        if let Some(base) = self.image.base {
            let _ = writeln!(
                out,
                "<li class=\"layer base\"><code>the layers of {}</code></li>",
                escaped(&label(&self.steps[base.index()]))
            );
        }
        for planned in &self.image.history {
            let entry = escaped(&planned.entry.created_by);
            let class = if planned.step.is_some() { " class=\"layer\"" } else { "" };
            let _ = write!(out, "<li{class}><code>{entry}</code>");
            for step in planned.steps() {
                let _ = write!(out, " <a href=\"#step-{}\">{}</a>", step.0, escaped(names.name(step)));
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ol></div></div></section>\n");
    }
}

/// The cells that say what is expected of a step, and their class.
fn state(step: &Step, forecast: Option<&Forecast>) -> (String, &'static str) {
    let Some(expected) = forecast.map(|forecast| forecast.of(step.id)) else { return (String::new(), "") };
    let time = expected.past.map_or_else(String::new, spoken);
    let word = if expected.outlook == Outlook::Given { "" } else { expected.outlook.name() };
    let reason = if expected.reason.is_empty() { String::new() } else { format!(" {}", escaped(&expected.reason)) };
    let state = format!("<td class=\"state\"><b>{word}</b>{reason}<td class=\"number\">{time}");
    (state, expected.outlook.name())
}

/// How long the next build takes, and what is to be known of that.
fn estimate(plan: &Plan, forecast: &Forecast) -> (String, String) {
    let jobs = counted(forecast.jobs, "job");
    if forecast.count(Outlook::Miss) + forecast.count(Outlook::Unknown) == 0 {
        return ("nothing to do".to_owned(), String::new());
    }
    let guesses = match forecast.guesses() {
        0 => String::new(),
        guesses => format!(", {guesses} guessed"),
    };
    match forecast.span(plan) {
        None => ("not known yet".to_owned(), String::new()),
        Some(span) if spoken(span.least) == spoken(span.most) => (spoken(span.most), format!("with {jobs}{guesses}")),
        Some(span) => (format!("{} – {}", spoken(span.least), spoken(span.most)), format!("with {jobs}{guesses}")),
    }
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

const FILTERS: &str = "<label class=\"hit\"><input type=\"checkbox\" name=\"state\" value=\"hit\" checked> hit</label>\
     <label class=\"miss\"><input type=\"checkbox\" name=\"state\" value=\"miss\" checked> miss</label>\
     <label class=\"unknown\"><input type=\"checkbox\" name=\"state\" value=\"unknown\" checked> unknown</label>";
const LEGEND_OF_STATES: &str = "<li class=\"hit\"><i class=\"bar\"></i>✓ the cache has it<li class=\"miss\"><i class=\"bar\"></i>✕ it will be done\
     <li class=\"unknown\"><i class=\"bar\"></i>? that depends on others";
const LEGEND_OF_KINDS: &str = "<li class=\"run\"><i class=\"bar\"></i>command<li class=\"copy\"><i class=\"bar\"></i>copy\
     <li class=\"folder\"><i class=\"bar\"></i>folder";
const LEGEND: &str = "<li class=\"source\"><i class=\"bar\"></i>brought in from outside<li><i class=\"line\"></i>works on\
     <li><i class=\"line read\"></i>reads from<li class=\"critical\"><i class=\"line\"></i>critical path<li><i class=\"frame\"></i>the image";
