//! From an instruction's words to what they mean.

use super::arguments::Keyword;
use super::flags::Flags;
use super::{copy, from, health, run};
use crate::ast::{ArgDeclaration, Arguments, Command, CommandLine, Instruction, Onbuild, Pair, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::comment::description;
use crate::lint::Rule;
use crate::suggest;

pub(super) type Typed<T> = Result<T, Box<Diagnostic>>;

/// The meaning of an instruction. Findings that do not prevent it go to `warnings`.
pub(super) fn typed(instruction: &Instruction, warnings: &mut Vec<Diagnostic>) -> Typed<Command> {
    let Some(keyword) = Keyword::of(&instruction.keyword.text) else { return Err(Box::new(unknown(instruction))) };
    match keyword {
        Keyword::From => from::typed(instruction, warnings).map(Command::From),
        Keyword::Arg => args(instruction, warnings).map(Command::Arg),
        Keyword::Env => pairs(instruction, keyword).map(Command::Env),
        Keyword::Label => pairs(instruction, keyword).map(Command::Label),
        Keyword::Copy => copy::typed_copy(instruction).map(Command::Copy),
        Keyword::Add => copy::typed_add(instruction).map(Command::Add),
        Keyword::Run => run::typed(instruction).map(Command::Run),
        Keyword::Cmd => without_flags(instruction).map(|()| Command::Cmd(command_line(&instruction.arguments))),
        Keyword::Entrypoint => {
            without_flags(instruction).map(|()| Command::Entrypoint(command_line(&instruction.arguments)))
        }
        Keyword::Healthcheck => health::typed(instruction).map(Command::Healthcheck),
        Keyword::Expose => {
            let ports = words(instruction, keyword)?;
            without_flags(instruction).map(|()| Command::Expose(ports))
        }
        Keyword::Volume => volumes(instruction).map(Command::Volume),
        Keyword::User => {
            let user = text(instruction, keyword)?;
            without_flags(instruction).map(|()| Command::User(user))
        }
        Keyword::Workdir => {
            let folder = text(instruction, keyword)?;
            without_flags(instruction).map(|()| Command::Workdir(folder))
        }
        Keyword::Maintainer => {
            let message = "Maintainer instruction is deprecated in favor of using label";
            let warning = Diagnostic::warning(Rule::MaintainerDeprecated, instruction.span, message);
            warnings.push(warning.help("write `LABEL org.opencontainers.image.authors=\"…\"`"));
            let author = text(instruction, keyword)?;
            without_flags(instruction).map(|()| Command::Maintainer(author))
        }
        Keyword::StopSignal => text(instruction, keyword).map(Command::StopSignal),
        Keyword::Shell => shell(instruction).map(Command::Shell),
        Keyword::Onbuild => onbuild(instruction).map(Command::Onbuild),
    }
}

fn unknown(instruction: &Instruction) -> Diagnostic {
    let name = &instruction.keyword.text;
    let near = suggest::nearest_any_case(name, &Keyword::ALL.map(Keyword::name));
    let guess = near.as_ref().map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    let message = format!("unknown instruction: {name}{guess}");
    let error = Diagnostic::error(Code::UnknownInstruction, instruction.span, message);
    let error = error.label(instruction.keyword.span, "no instruction has this name");
    match near {
        Some(near) => error.help(format!("write `{near}`")),
        None if name.is_empty() => error.help("remove the escape character at the end, which continues nothing"),
        None if name.contains(char::is_whitespace) => {
            error.help("replace the unusual whitespace in this line by ordinary spaces")
        }
        None => error.help("end the line above in a `\\` if this line belongs to it"),
    }
}

/// An error about how many arguments an instruction has.
pub(super) fn count(instruction: &Instruction, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Code::ArgumentCount, instruction.span, message))
}

pub(super) fn without_flags(instruction: &Instruction) -> Typed<()> {
    Flags::read(instruction, &[]).map(|_| ())
}

/// The rest of the line, which must not be empty.
fn text(instruction: &Instruction, keyword: Keyword) -> Typed<Word> {
    match &instruction.arguments {
        Arguments::Text(word) => Ok(word.clone()),
        _ => Err(count(instruction, format!("{} requires exactly one argument", keyword.name()))),
    }
}

/// At least one word.
fn words(instruction: &Instruction, keyword: Keyword) -> Typed<Vec<Word>> {
    match &instruction.arguments {
        Arguments::Words(words) | Arguments::Array(words) if !words.is_empty() => Ok(words.clone()),
        _ => Err(count(instruction, format!("{} requires at least one argument", keyword.name()))),
    }
}

pub(super) fn command_line(arguments: &Arguments) -> CommandLine {
    match arguments {
        Arguments::Array(words) => CommandLine::Exec(words.clone()),
        Arguments::Text(text) => CommandLine::Shell(text.clone()),
        _ => CommandLine::Shell(Word::default()),
    }
}

fn pairs(instruction: &Instruction, keyword: Keyword) -> Typed<Vec<Pair>> {
    without_flags(instruction)?;
    let Arguments::Pairs(pairs) = &instruction.arguments else {
        return Err(count(instruction, format!("{} requires at least one argument", keyword.name())));
    };
    if let Some(blank) = pairs.iter().find(|pair| pair.name.text.is_empty()) {
        return Err(blank_name(instruction, keyword, &blank.value));
    }
    Ok(pairs.clone())
}

fn blank_name(instruction: &Instruction, keyword: Keyword, place: &Word) -> Box<Diagnostic> {
    let message = format!("{} names can not be blank", keyword.name());
    let error = Diagnostic::error(Code::InvalidPair, instruction.span, message).label(place.span, "");
    Box::new(error.help("put a name before the `=`"))
}

fn args(instruction: &Instruction, warnings: &mut Vec<Diagnostic>) -> Typed<Vec<ArgDeclaration>> {
    let comments = || instruction.comments.iter().map(|comment| comment.text.as_str());
    let words = words(instruction, Keyword::Arg)?;
    let mut declarations = Vec::with_capacity(words.len());
    for word in words {
        let (name, default) = match word.text.split_once('=') {
            None => (word.clone(), None),
            Some(("", _)) => return Err(blank_name(instruction, Keyword::Arg, &word)),
            Some((name, default)) => {
                let part = |start, end, text: &str| Word { text: text.to_owned(), span: word.part(start, end) };
                (part(0, name.len(), name), Some(part(name.len() + 1, word.text.len(), default)))
            }
        };
        let description = description(comments(), &name.text).to_owned();
        declarations.push(ArgDeclaration { name, default, description });
    }
    let names: Vec<&str> = declarations.iter().map(|declaration| declaration.name.text.as_str()).collect();
    crate::lint::description::check(instruction, &names, warnings);
    Ok(declarations)
}

fn volumes(instruction: &Instruction) -> Typed<Vec<Word>> {
    let folders = words(instruction, Keyword::Volume)?;
    without_flags(instruction)?;
    let trimmed = folders.into_iter().map(|word| Word { text: word.text.trim().to_owned(), ..word });
    let folders: Vec<Word> = trimmed.collect();
    match folders.iter().find(|folder| folder.text.is_empty()) {
        None => Ok(folders),
        Some(empty) => {
            let message = "VOLUME specified can not be an empty string";
            Err(Box::new(Diagnostic::error(Code::InvalidVolume, instruction.span, message).label(empty.span, "")))
        }
    }
}

fn shell(instruction: &Instruction) -> Typed<Vec<Word>> {
    without_flags(instruction)?;
    match &instruction.arguments {
        Arguments::Array(words) if !words.is_empty() => Ok(words.clone()),
        Arguments::Text(text) => {
            let message = "SHELL requires the arguments to be in JSON form";
            let items: Vec<String> = text.text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
            let error = Diagnostic::error(Code::InvalidArray, instruction.span, message).label(text.span, "");
            Err(Box::new(error.help(format!("write `SHELL [{}]`", items.join(", ")))))
        }
        _ => Err(count(instruction, "SHELL requires at least one argument")),
    }
}

fn onbuild(instruction: &Instruction) -> Typed<Onbuild> {
    let Arguments::Trigger(trigger) = &instruction.arguments else {
        return Err(count(instruction, "ONBUILD requires at least one argument"));
    };
    without_flags(instruction)?;
    let keyword = trigger.keyword.text.trim().to_uppercase();
    let error = |message: String| {
        let error = Diagnostic::error(Code::InvalidTrigger, instruction.span, message);
        Box::new(error.label(trigger.keyword.span, "not allowed here"))
    };
    match keyword.as_str() {
        "ONBUILD" => return Err(error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned())),
        "MAINTAINER" | "FROM" => return Err(error(format!("{keyword} isn't allowed as an ONBUILD trigger"))),
        _ => {}
    }
    let line = instruction.line.text().trim_start();
    let mut expression = line.get("ONBUILD".len()..).unwrap_or_default().trim_start().to_owned();
    for heredoc in &instruction.heredocs {
        expression.push('\n');
        expression.push_str(&heredoc.content.text);
        expression.push_str(&heredoc.name);
    }
    Ok(Onbuild { expression, keyword, trigger: trigger.clone(), span: trigger.span })
}
