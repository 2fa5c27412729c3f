//! What instructions should not do in a stage: shell-form commands, being overridden, relative folders, the old form of
//! pairs.

use crate::ast::{Instruction, PairForm, Word};
use crate::diagnostic::Diagnostic;
use crate::go;
use crate::lint::Rule;
use crate::source::Span;

/// A `CMD` or `ENTRYPOINT` in shell form, where no `SHELL` was chosen.
pub(crate) fn shell_form(instruction: &Instruction, at: Span) -> Diagnostic {
    let name = &instruction.keyword.text;
    let message = format!("JSON arguments recommended for {name} to prevent unintended behavior related to OS signals");
    Diagnostic::warning(Rule::JSONArgsRecommended, at, message)
        .help(format!("write `{name} [\"command\", \"argument\"]`, or choose a shell with `SHELL`"))
}

/// An instruction that a later one of its kind makes void.
pub(crate) fn overridden(name: &str, earlier: Span, later: Span) -> Diagnostic {
    let message = format!(
        "Multiple {name} instructions should not be used in the same stage because only the last one will be used"
    );
    let warning = Diagnostic::warning(Rule::MultipleInstructionsDisallowed, earlier, message);
    warning.label(earlier, "this has no effect").label(later, "because of this").help("remove the earlier one")
}

/// A relative `WORKDIR` in a stage that has not set an absolute one.
pub(crate) fn relative_folder(path: &str, at: Span) -> Diagnostic {
    let message = format!("Relative workdir {} can have unexpected results if the base image changes", go::quote(path));
    Diagnostic::warning(Rule::WorkdirRelativePath, at, message).help(format!("write `WORKDIR /{path}`"))
}

/// `ENV name value`.
pub(crate) fn old_pair(instruction: &Instruction, form: PairForm, name: &Word, at: Span) -> Option<Diagnostic> {
    if form == PairForm::Equals {
        return None;
    }
    let keyword = &instruction.keyword.text;
    let message = format!("\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format");
    let warning = Diagnostic::warning(Rule::LegacyKeyValueFormat, at, message);
    Some(warning.label(name.span, "").help(format!("write `{keyword} {}=…`", name.text)))
}
