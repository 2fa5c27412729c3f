//! Mends what the linter found where the image cannot change: which bytes of the file become which others.
//!
//! It is pure: it computes edits from findings, so that what is skipped or was never found is left alone, and it does not
//! write. Where a text does not stand in the file as it is meant (a name that is split over lines, a value with escapes), it
//! leaves the place alone too: a finding that stays is better than a guess.

use crate::ast::{Command, From, Instruction, Pair, PairForm, StageName, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lint::{Rule, casing};
use crate::parse::Parsed;
use crate::source::{Source, Span};

/// A part of a file that becomes another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub text: String,
    /// The rule that this mends.
    pub rule: Rule,
}

/// The edits that mend findings of a file, in its order; no two of them touch the same bytes.
#[must_use]
pub fn fix(parsed: &Parsed, findings: &[Diagnostic]) -> Vec<Edit> {
    let mut fixer = Fixer { parsed, edits: Vec::new() };
    // `AS` is written as `FROM` is, so the instructions' case comes first.
    let rank = |rule: Rule| usize::from(rule != Rule::ConsistentInstructionCasing);
    let mut found: Vec<(Rule, &Diagnostic)> = findings
        .iter()
        .filter_map(|finding| if let Code::Rule(rule) = finding.code { Some((rule, finding)) } else { None })
        .collect();
    found.sort_by_key(|(rule, _)| rank(*rule));
    for (rule, finding) in found {
        fixer.mend(rule, finding);
    }
    let mut edits = fixer.edits;
    edits.sort_by_key(|edit| edit.span);
    edits.dedup_by(|later, earlier| later.span == earlier.span || later.span.start < earlier.span.end);
    edits
}

/// The text with edits applied, which must be in its order and apart from each other, as [`fix`] returns them.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        out.push_str(&text[done..edit.span.start]);
        out.push_str(&edit.text);
        done = edit.span.end;
    }
    out.push_str(&text[done..]);
    out
}

struct Fixer<'a> {
    parsed: &'a Parsed,
    edits: Vec<Edit>,
}

impl<'a> Fixer<'a> {
    fn mend(&mut self, rule: Rule, finding: &Diagnostic) {
        if rule == Rule::NoEmptyContinuation {
            let lines = finding.labels.iter().map(|label| label.span);
            self.edits.extend(lines.map(|span| Edit { span, text: String::new(), rule }));
            return;
        }
        let Some(instruction) = self.instruction(finding) else { return };
        match (rule, &instruction.command) {
            (Rule::ConsistentInstructionCasing, command) => {
                let keyword = &instruction.keyword;
                let wanted = casing::majority(&self.parsed.ast.instructions).of(&keyword.text);
                if self.replace(keyword.span, &keyword.text, wanted.clone(), rule)
                    && let Some(Command::From(From { name: Some(name), .. })) = command
                {
                    self.as_keyword(name, &wanted);
                }
            }
            (Rule::FromAsCasing, Some(Command::From(From { name: Some(name), .. }))) => {
                let is_done = self.edits.iter().any(|edit| edit.span == instruction.keyword.span);
                if !is_done {
                    self.as_keyword(name, &instruction.keyword.text);
                }
            }
            (Rule::StageNameCasing, Some(Command::From(From { name: Some(name), .. }))) => self.stage_name(name),
            (Rule::LegacyKeyValueFormat, Some(Command::Env(pairs) | Command::Label(pairs))) => {
                if let [pair @ Pair { form: PairForm::Blank, .. }] = pairs.as_slice() {
                    self.old_pair(pair);
                }
            }
            (Rule::ExposeProtoCasing, Some(Command::Expose(ports))) => self.protocols(ports),
            (Rule::RedundantTargetPlatform, Some(Command::From(from))) => self.platform(instruction, from),
            _ => {}
        }
    }

    /// The instruction that a finding is about.
    fn instruction(&self, finding: &Diagnostic) -> Option<&'a Instruction> {
        let span = finding.instruction?;
        let instructions = &self.parsed.ast.instructions;
        let at = instructions.partition_point(|instruction| instruction.span.start < span.start);
        instructions.get(at).filter(|instruction| instruction.span == span)
    }

    /// Replaces a text that stands in the file as it is.
    fn replace(&mut self, span: Span, text: &str, by: String, rule: Rule) -> bool {
        let stands = self.source().slice(span) == text;
        if stands && text != by {
            self.edits.push(Edit { span, text: by, rule });
        }
        stands
    }

    fn source(&self) -> &'a Source {
        &self.parsed.source
    }

    /// Writes `AS` as `FROM` is written.
    fn as_keyword(&mut self, name: &StageName, from: &str) {
        let keyword = &name.keyword;
        if let Some(case) = casing::case_of(from) {
            self.replace(keyword.span, &keyword.text, case.of(&keyword.text), Rule::FromAsCasing);
        }
    }

    /// Writes the name of a stage in small letters, and so wherever it is used below.
    ///
    /// Triggers keep what they say: they are part of the image's configuration.
    fn stage_name(&mut self, name: &StageName) {
        let rule = Rule::StageNameCasing;
        if !self.replace(name.written.span, &name.written.text, name.name.clone(), rule) {
            return;
        }
        let means = |text: &str| text.to_lowercase() == name.name;
        let below = self.parsed.ast.instructions.iter().filter(|below| below.span.start > name.written.span.start);
        for instruction in below {
            let used: &Word = match &instruction.command {
                Some(Command::From(from)) => &from.base,
                Some(Command::Copy(copy)) => match &copy.from {
                    Some(from) => from,
                    None => continue,
                },
                Some(Command::Run(run)) => {
                    for mount in run.mounts.iter().filter(|mount| mount.from.as_deref().is_some_and(means)) {
                        self.mount(mount.flag.span, &name.name);
                    }
                    continue;
                }
                _ => continue,
            };
            if means(&used.text) {
                self.replace(used.span, &used.text, name.name.clone(), rule);
            }
        }
    }

    /// The name behind `from=` in a `--mount`.
    fn mount(&mut self, flag: Span, name: &str) {
        let text = self.source().slice(flag);
        let mut start = flag.start;
        for field in text.split(',') {
            let value = field.rsplit_once("from=").map(|(_, value)| value);
            if let Some(value) = value.filter(|value| value.to_lowercase() == name) {
                let span = Span::new(start + field.len() - value.len(), start + field.len());
                self.replace(span, value, name.to_owned(), Rule::StageNameCasing);
            }
            start += field.len() + 1;
        }
    }

    /// `NAME value` becomes `NAME=value`, in quotes where the value has blanks.
    fn old_pair(&mut self, pair: &Pair) {
        let escape = self.parsed.ast.escape.character();
        let (name, value) = (&pair.name, &pair.value);
        let (start, end) = (name.span.start, value.span.end);
        let written = self.source().slice(Span::new(start, end));
        let gap = written.strip_prefix(&name.text).and_then(|rest| rest.strip_suffix(&value.text));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let is_on_one_line = gap.is_some_and(|gap| gap.chars().all(|c| matches!(c, ' ' | '\t')));
        if !is_on_one_line || !name.text.chars().all(is_plain) || value.text.contains(escape) {
            return;
        }
        let Some(value) = as_one_word(&value.text) else { return };
        let text = format!("{}={value}", name.text);
        self.edits.push(Edit { span: Span::new(start, end), text, rule: Rule::LegacyKeyValueFormat });
    }

    /// Protocols that stand in the file; those in variables stay.
    fn protocols(&mut self, ports: &[Word]) {
        for port in ports {
            let is_literal = !port.text.contains(['$', '\'', '"', self.parsed.ast.escape.character()]);
            if let Some((numbers, protocol)) = port.text.split_once('/').filter(|_| is_literal) {
                let by = format!("{numbers}/{}", protocol.to_lowercase());
                self.replace(port.span, &port.text, by, Rule::ExposeProtoCasing);
            }
        }
    }

    /// Removes `--platform`, with the blanks behind it.
    fn platform(&mut self, instruction: &Instruction, from: &From) {
        let flag = instruction.flags.iter().find(|flag| flag.text.starts_with("--platform="));
        let (Some(flag), Some(value)) = (flag, &from.platform) else { return };
        let stands = self.source().slice(flag.span) == flag.text;
        let is_variable = matches!(value.text.as_str(), "$TARGETPLATFORM" | "${TARGETPLATFORM}");
        let behind = &self.source().text()[flag.span.end..];
        let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        if stands && is_variable && blanks > 0 {
            let span = Span::new(flag.span.start, flag.span.end + blanks);
            self.edits.push(Edit { span, text: String::new(), rule: Rule::RedundantTargetPlatform });
        }
    }
}

/// A value that is one word among pairs and means the same; it has no escapes.
fn as_one_word(value: &str) -> Option<String> {
    let has_quotes = value.contains(['\'', '"']);
    if !value.contains(char::is_whitespace) {
        return Some(value.to_owned());
    }
    if !has_quotes {
        return Some(format!("\"{value}\""));
    }
    // All of it in one pair of quotes.
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.contains(quote));
    (inner('"').is_some() || inner('\'').is_some()).then(|| value.to_owned())
}
